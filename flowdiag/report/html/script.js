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
    from: "from", source: "from", "from-pod": "from", to: "to", destination: "to", "to-pod": "to",
    port: "port", "to-port": "port", protocol: "protocol", policy: "policy", class: "class", code: "class",
    severity: "severity", verdict: "verdict", direction: "direction", confidence: "confidence", status: "status"
  };

  function terms(text) {
    return (text.toLowerCase().match(/\S+/g) || []).map(function (word) {
      var not = word.length > 1 && word.charAt(0) === "-";
      if (not) { word = word.slice(1); }
      var cut = word.indexOf(":"), key = cut > 0 && KEYS.hasOwnProperty(word.slice(0, cut)) && KEYS[word.slice(0, cut)];
      return { not: not, key: key, value: key ? word.slice(cut + 1) : word };
    });
  }
  function matches(row, term) {
    var mine = row.dataset, card = cards[mine.problem].dataset, key = term.key;
    if (!term.value) { return true; }
    var text = key ? (key in mine ? mine[key] : card[key]) : [card.search, card.policy, card.severity, mine.from, mine.to, mine.port].join(" ");
    var found = key === "port" ? text === term.value : text.toLowerCase().indexOf(term.value) >= 0;
    return found !== term.not;
  }
  function inRange(item) {
    var start = item.dataset.start, end = item.dataset.end || start;
    return !range || (start !== "" && Number(start) <= range[1] && Number(end) >= range[0]);
  }
  function apply() {
    var wanted = terms(field.value), shown = 0, kept = {}, cells = {};
    rows.forEach(function (row) {
      var fits = inRange(row) && wanted.every(function (term) { return matches(row, term); });
      hide(row, !fits);
      cells[row.dataset.at] = cells[row.dataset.at] || fits;
      if (fits) { shown += 1; kept[row.dataset.problem] = true; }
    });
    all("article[data-problem], .lead li").forEach(function (item) { hide(item, !kept[item.dataset.problem]); });
    var active = wanted.length > 0 || range !== null;
    all("tr[data-start]:not([data-problem])").forEach(function (row) { hide(row, !inRange(row) || (active && row.dataset.of && !kept[row.dataset.of])); });
    all("#policies ~ .scroll tr[data-of]").forEach(function (row) {
      hide(row, active && !row.dataset.of.split(" ").some(function (number) { return kept[number]; }));
    });
    all("td[data-cell]").forEach(function (cell) { cell.classList.toggle("faded", cells[cell.dataset.cell] === false); });
    byId("filter-state").textContent = active ? shown + " of " + rows.length + " connections, " + Object.keys(kept).length + " of " + Object.keys(cards).length + " problems" : "";
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
  all("time").forEach(function (element) { element.dataset.written = element.textContent; element.title = element.dateTime; });
  byId("zone").addEventListener("click", function () {
    local = !local;
    this.setAttribute("aria-pressed", String(local));
    this.textContent = local ? "Show times as written" : "Show my time zone";
    byId("zone-note").textContent = local ? "Tables show " + Intl.DateTimeFormat().resolvedOptions().timeZone + "; charts and sentences stay as written" : "";
    all("time").forEach(function (element) {
      var ms = Date.parse(element.dateTime.replace(/(\.\d{3})\d*/, "$1"));
      element.textContent = local && !isNaN(ms) ? stamp(ms) : element.dataset.written;
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
