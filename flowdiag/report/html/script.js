"use strict";
(function () {
  var all = function (selector, root) { return Array.prototype.slice.call((root || document).querySelectorAll(selector)); };
  var byId = function (id) { return document.getElementById(id); };
  var hide = function (element, off) { element.classList.toggle("filtered", off); };
  all(".js").forEach(function (element) { element.hidden = false; });

  // Filter: hubble's words, on connections and on the problem that each belongs to.
  var field = byId("filter"), range = null, cards = {}, rows = all("tr[data-problem]");
  all("article[data-problem]").forEach(function (card) { cards[card.dataset.problem] = card; });
  var KEYS = {
    from: ["from"], source: ["from"], to: ["to"], destination: ["to"], port: ["port"], "to-port": ["port"],
    direction: ["direction"], "traffic-direction": ["direction"], reason: ["reason"], "drop-reason-desc": ["reason"],
    code: ["class"], type: ["class"]
  };
  ["protocol", "policy", "class", "severity", "verdict", "confidence", "status"].forEach(function (word) { KEYS[word] = [word]; });
  ["pod", "namespace", "ip", "label", "fqdn", "identity", "workload", "service"].forEach(function (word) {
    KEYS["from-" + word] = ["from-" + word];
    KEYS["to-" + word] = ["to-" + word];
    KEYS[word] = ["from-" + word, "to-" + word];
  });
  var own = function (object, key) { return Object.prototype.hasOwnProperty.call(object, key); };
  var VERDICTS = { dropped: "denied", forwarded: "allowed", audit: "audited" };
  var TYPES = { drop: ["verdict", ["denied"]], l7: ["class", ["fd404", "fd504"]] };

  // One term: negated or not, the attributes to look into (null: everything), and the values of which one must fit.
  function term(word, not) {
    var cut = word.indexOf(":"), key = word.slice(0, cut), value = word.slice(cut + 1);
    if (cut < 1 || !/^[a-z][a-z0-9-]*$/.test(key) || /^[0-9a-f:.\/]*:[0-9a-f:.\/]*:[0-9a-f:.\/]*$/.test(word)) {
      return { word: word, not: not, names: null, values: [word] };
    }
    if (key === "k8s" || key === "reserved") { value = word; key = "label"; }
    var names = own(KEYS, key) ? KEYS[key] : [], values = [value];
    if (key === "verdict" && own(VERDICTS, value)) { values = [VERDICTS[value]]; }
    if (key === "type" && value) { names = own(TYPES, value) ? [TYPES[value][0]] : []; values = own(TYPES, value) ? TYPES[value][1] : values; }
    return { word: word, key: key, not: not, names: names, values: values };
  }
  // "not port:53", "-port:53", and flags as they are typed to hubble: "--from-pod NAMESPACE/NAME", "--port=53".
  function terms(text) {
    var words = text.toLowerCase().match(/\S+/g) || [], found = [], not = false;
    for (var n = 0; n < words.length; n += 1) {
      var word = words[n], flag = /^--[a-z]/.test(word);
      if (flag) {
        word = word.slice(2).replace("=", ":");
        if (word.indexOf(":") < 0 && word !== "not") { word += ":" + (words[n += 1] || ""); }
      } else if (word.length > 1 && word.charAt(0) === "-") { not = !not; word = word.slice(1); }
      if (word === "not") { not = !not; }
      else { found.push(term(word, not)); not = false; }
    }
    return found.filter(function (one) { return one.names === null || one.values[0]; });
  }
  function held(row, name) { return row.getAttribute("data-" + name) || cards[row.dataset.problem].getAttribute("data-" + name) || ""; }
  function number(address) {
    var parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
    return parts && ((Number(parts[1]) * 256 + Number(parts[2])) * 256 + Number(parts[3])) * 256 + Number(parts[4]);
  }
  function within(address, range) {
    var size = Math.pow(2, 32 - Number(range.split("/")[1])), low = number(range.split("/")[0]), at = number(address);
    return low !== null && at !== null && Math.floor(at / size) === Math.floor(low / size);
  }
  function like(text, value) {
    var at = 0;
    return value.split("*").every(function (part) { var found = text.indexOf(part, at); at = found + part.length; return found >= 0; });
  }
  function fits(name, text, value) {
    var words = text.split(" ");
    if (/(^port|namespace|identity)$/.test(name)) { return words.indexOf(value) >= 0; }
    if (/-ip$/.test(name)) { return words.some(function (word) { return word === value || (/\/\d+$/.test(value) ? within(word, value) : /\*/.test(value) && like(word, value)); }); }
    if (/-label$/.test(name)) {
      return value.split(",").every(function (part) {
        var label = part.replace(/^k8s:/, "");
        return words.some(function (word) { return word === label || word.indexOf(label + "=") === 0 || (/\*/.test(label) && like(word, label)); });
      });
    }
    return like(text, value);
  }
  function matches(row, one) {
    var card = cards[row.dataset.problem].dataset, mine = row.dataset;
    var found = one.names === null
      ? [card.search, card.policy, card.severity, mine.from, mine.to, mine.port].join(" ").toLowerCase().indexOf(one.values[0]) >= 0
      : one.names.some(function (name) {
        var text = held(row, name).toLowerCase();
        return text !== "" && one.values.some(function (value) { return fits(name, text, value); });
      });
    return found !== one.not;
  }
  // Why a term does nothing, or nothing is left: never an empty page without a word.
  function reasons(asked, used) {
    var told = asked.filter(function (one) { return used.indexOf(one) < 0; }).map(function (one) {
      return one.key === "type" ? "this page knows type:drop and type:l7 only; " + one.word + " is left out"
        : own(KEYS, one.key) ? "no connection here has a value for " + one.key + ":, so " + one.word + " is left out"
        : "this page cannot filter by " + one.key + ":, so " + one.word + " is left out";
    });
    used.forEach(function (one) {
      if (!rows.some(function (row) { return matches(row, one); })) { told.push((one.not ? "not " : "") + one.word + " fits no refused connection"); }
    });
    return told.join("; ");
  }
  function inRange(item) {
    var start = item.dataset.start, end = item.dataset.end || start;
    return !range || (start !== "" && Number(start) <= range[1] && Number(end) >= range[0]);
  }
  function apply() {
    var asked = terms(field.value), shown = 0, kept = {}, cells = {};
    var wanted = asked.filter(function (one) {
      return one.names === null || rows.some(function (row) { return one.names.some(function (name) { return held(row, name); }); });
    });
    rows.forEach(function (row) {
      var stays = inRange(row) && wanted.every(function (one) { return matches(row, one); });
      hide(row, !stays);
      cells[row.dataset.at] = cells[row.dataset.at] || stays;
      if (stays) { shown += 1; kept[row.dataset.problem] = true; }
    });
    all("article[data-problem], .lead li").forEach(function (item) { hide(item, !kept[item.dataset.problem]); });
    var active = wanted.length > 0 || range !== null;
    all("tr[data-start]:not([data-problem])").forEach(function (row) { hide(row, !inRange(row) || (active && row.dataset.of && !kept[row.dataset.of])); });
    all("#policies ~ .scroll tr[data-of]").forEach(function (row) {
      hide(row, active && !row.dataset.of.split(" ").some(function (number) { return kept[number]; }));
    });
    all("td[data-cell]").forEach(function (cell) { cell.classList.toggle("faded", cells[cell.dataset.cell] === false); });
    byId("filter-state").textContent = active ? shown + " of " + rows.length + " connections, " + Object.keys(kept).length + " of " + Object.keys(cards).length + " problems" : "";
    byId("filter-hint").textContent = reasons(asked, wanted);
  }
  field.addEventListener("input", apply);
  byId("clear").addEventListener("click", function () { field.value = ""; setRange(null); field.focus(); });
  document.addEventListener("keydown", function (event) {
    if (event.key === "/" && !/INPUT|TEXTAREA/.test(document.activeElement.tagName) && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); field.focus(); }
    if (event.key === "Escape" && document.activeElement === field) { field.value = ""; apply(); }
  });

  // Brush: drag over the chart, click a bar, or move the two sliders; filters everything by time.
  var figure = byId("brushed"), setRange = function (next) { range = next; apply(); };
  if (figure) {
    var axis = {}, svg = figure.querySelector("svg"), from = byId("brush-from"), to = byId("brush-to");
    ["left", "right", "top", "start", "end", "width"].forEach(function (key) { axis[key] = Number(figure.dataset[key]); });
    var span = axis.end - axis.start;
    var shades = all("svg.chart").map(function (chart) {
      var shade = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      shade.setAttribute("class", "shade");
      shade.setAttribute("y", axis.top);
      shade.setAttribute("height", Number(chart.dataset.bottom) - axis.top);
      shade.setAttribute("visibility", "hidden");
      return chart.appendChild(shade);
    });
    var place = function (at) { return axis.left + (at - axis.start) / span * (axis.right - axis.left); };
    setRange = function (next) {
      range = next;
      shades.forEach(function (shade) {
        shade.setAttribute("visibility", next ? "visible" : "hidden");
        if (next) {
          shade.setAttribute("x", place(next[0]));
          shade.setAttribute("width", Math.max(place(next[1]) - place(next[0]), 1));
        }
      });
      from.value = next ? (next[0] - axis.start) / span * 1000 : 0;
      to.value = next ? (next[1] - axis.start) / span * 1000 : 1000;
      say();
      apply();
    };
    var slide = function () {
      var a = Number(from.value), b = Number(to.value);
      setRange(a <= 0 && b >= 1000 ? null : [axis.start + Math.min(a, b) / 1000 * span, axis.start + Math.max(a, b) / 1000 * span]);
    };
    [from, to].forEach(function (slider) { slider.addEventListener("input", slide); });
    var origin = null;
    var moment = function (event) {
      var point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      return axis.start + Math.min(Math.max((point.x - axis.left) / (axis.right - axis.left), 0), 0.9999) * span;
    };
    svg.addEventListener("pointerdown", function (event) { if (event.button === 0) { origin = moment(event); svg.setPointerCapture(event.pointerId); event.preventDefault(); } });
    svg.addEventListener("pointermove", function (event) {
      var now = origin !== null && moment(event);
      if (origin !== null && Math.abs(now - origin) >= span / 400) { setRange([Math.min(origin, now), Math.max(origin, now)]); }
    });
    svg.addEventListener("pointerup", function (event) {
      if (origin !== null && Math.abs(moment(event) - origin) < span / 400) {
        var start = axis.start + Math.floor((origin - axis.start) / axis.width) * axis.width;
        setRange(range && origin >= range[0] && origin <= range[1] ? null : [start, start + axis.width - 1]);
      }
      origin = null;
    });
    svg.addEventListener("pointercancel", function () { origin = null; });
  }

  // Sort: a button in every head; the first click sorts numbers down and text up.
  all("table.sortable").forEach(function (table) {
    var body = table.tBodies[0], heads = all("thead th", table);
    heads.forEach(function (head, index) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.appendChild(button);
      button.addEventListener("click", function () {
        var numeric = head.dataset.sort === "n", before = head.getAttribute("aria-sort");
        var down = before ? before === "ascending" : numeric && index > 0;
        heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        var value = function (row) { var cell = row.cells[index]; return numeric ? Number(cell.dataset.value) : cell.textContent; };
        all("tr", body).sort(function (a, b) {
          var x = value(a), y = value(b), order = x < y ? -1 : x > y ? 1 : 0;
          return down ? -order : order;
        }).forEach(function (row) { body.appendChild(row); });
      });
    });
  });

  // Copy as Markdown.
  all("button[data-copy]").forEach(function (button) {
    var label = button.innerHTML;
    button.addEventListener("click", function () {
      var text = byId(button.dataset.copy).textContent;
      var done = function (word) { button.textContent = word; setTimeout(function () { button.innerHTML = label; }, 1500); };
      var fallback = function () {
        var area = document.createElement("textarea");
        area.value = text;
        document.body.appendChild(area);
        area.select();
        var copied = document.execCommand("copy");
        area.remove();
        done(copied ? "Copied" : "Not copied");
      };
      if (navigator.clipboard) { navigator.clipboard.writeText(text).then(function () { done("Copied"); }, fallback); }
      else { fallback(); }
    });
  });

  // Times: as written, or in the reader's zone.
  var local = false;
  var two = function (number) { return (number < 10 ? "0" : "") + number; };
  function stamp(ms) {
    var d = new Date(ms);
    if (!local) { return d.toISOString().slice(0, 19).replace("T", " "); }
    return d.getFullYear() + "-" + two(d.getMonth() + 1) + "-" + two(d.getDate()) + " " + two(d.getHours()) + ":" + two(d.getMinutes()) + ":" + two(d.getSeconds());
  }
  function say() {
    byId("brush-state").textContent = range ? stamp(range[0]) + " to " + stamp(range[1]) + (local ? " (your zone)" : " UTC") : "all times";
  }
  // Tables name their zone above them, sentences with each moment.
  function zoned(ms) {
    var parts = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts(ms);
    return stamp(ms) + " " + parts.filter(function (part) { return part.type === "timeZoneName"; })[0].value;
  }
  all("time").forEach(function (element) { element.dataset.written = element.textContent; element.title = element.dateTime; });
  byId("zone").addEventListener("click", function () {
    local = !local;
    this.setAttribute("aria-pressed", String(local));
    this.textContent = local ? "Show times as written" : "Show my time zone";
    var mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
    byId("zone-note").textContent = local ? "Charts keep the zone that they name" : "";
    all(".zone").forEach(function (element) {
      element.dataset.written = element.dataset.written || element.textContent;
      element.textContent = local ? mine : element.dataset.written;
    });
    all("time").forEach(function (element) {
      var ms = Date.parse(element.dateTime.replace(/(\.\d{3})\d*/, "$1"));
      element.textContent = !local || isNaN(ms) ? element.dataset.written : element.className ? zoned(ms) : stamp(ms);
    });
    if (figure) { say(); }
  });

  // Deep links open what they point into; printing opens everything.
  function open() {
    var target = location.hash.length > 1 && byId(location.hash.slice(1));
    for (var node = target; node; node = node.parentElement) { if (node.tagName === "DETAILS") { node.open = true; } }
    if (target && target.classList.contains("filtered")) { field.value = ""; setRange(null); target.scrollIntoView(); }
  }
  window.addEventListener("hashchange", open);
  open();
  var closed = [];
  window.addEventListener("beforeprint", function () { closed = all("details:not([open])"); closed.forEach(function (d) { d.open = true; }); });
  window.addEventListener("afterprint", function () { closed.forEach(function (d) { d.open = false; }); });
})();
