"use strict";
(function () {
  var all = function (selector, root) { return Array.prototype.slice.call((root || document).querySelectorAll(selector)); };
  var byId = function (id) { return document.getElementById(id); };
  all(".js").forEach(function (element) { element.hidden = false; });

  // Filter: hubble's words. from:x to:x port:n class:FDx severity:high verdict:denied, any word, -term.
  var field = byId("filter"), range = null;
  var items = all("[data-problem][data-search]");
  var KEYS = { from: "from", source: "from", to: "to", destination: "to", port: "port", class: "class", code: "class", severity: "severity", verdict: "verdict" };

  function terms(text) {
    return (text.toLowerCase().match(/\S+/g) || []).map(function (word) {
      var not = word.charAt(0) === "-" && word.length > 1;
      if (not) { word = word.slice(1); }
      var cut = word.indexOf(":"), key = cut > 0 ? KEYS[word.slice(0, cut)] : undefined;
      return { not: not, key: key, value: key ? word.slice(cut + 1) : word };
    });
  }
  function matches(item, term) {
    var data = item.dataset, found;
    if (!term.value) { return true; }
    if (term.key === "port") { found = data.port === term.value; }
    else if (term.key) { found = (data[term.key] || "").toLowerCase().indexOf(term.value) >= 0; }
    else { found = data.search.indexOf(term.value) >= 0; }
    return found !== term.not;
  }
  function inRange(item) {
    if (!range) { return true; }
    var start = item.dataset.start, end = item.dataset.end || start;
    return start !== "" && Number(start) <= range[1] && Number(end) >= range[0];
  }
  function apply() {
    var wanted = terms(field.value), rows = 0, shown = 0, kept = {};
    items.forEach(function (item) {
      if (item.tagName !== "TR") { return; }
      var fits = inRange(item) && wanted.every(function (term) { return matches(item, term); });
      item.classList.toggle("filtered", !fits);
      rows += 1;
      if (fits) { shown += 1; kept[item.dataset.problem] = true; }
    });
    all("article[data-problem], .lead li").forEach(function (item) {
      item.classList.toggle("filtered", !kept[item.dataset.problem]);
    });
    var active = wanted.length || range;
    byId("filter-state").textContent = active ? shown + " of " + rows + " connections, " + Object.keys(kept).length + " problems" : "";
  }
  field.addEventListener("input", apply);
  byId("clear").addEventListener("click", function () { field.value = ""; setRange(null); field.focus(); });

  // Brush: drag over the chart, or the two sliders; filters everything by time.
  var figure = byId("brushed"), setRange = function (next) { range = next; apply(); };
  if (figure) {
    var axis = {}, svg = figure.querySelector("svg"), from = byId("brush-from"), to = byId("brush-to"), state = byId("brush-state");
    ["left", "right", "top", "bottom", "start", "end"].forEach(function (key) { axis[key] = Number(figure.dataset[key]); });
    var span = axis.end - axis.start;
    var shade = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    shade.setAttribute("class", "shade");
    shade.setAttribute("y", axis.top);
    shade.setAttribute("height", axis.bottom - axis.top);
    shade.setAttribute("visibility", "hidden");
    svg.appendChild(shade);
    var place = function (at) { return axis.left + (at - axis.start) / span * (axis.right - axis.left); };
    setRange = function (next) {
      range = next;
      shade.setAttribute("visibility", next ? "visible" : "hidden");
      if (next) {
        shade.setAttribute("x", place(next[0]));
        shade.setAttribute("width", Math.max(place(next[1]) - place(next[0]), 1));
      }
      from.value = next ? (next[0] - axis.start) / span * 1000 : 0;
      to.value = next ? (next[1] - axis.start) / span * 1000 : 1000;
      state.textContent = next ? clock(next[0]) + " to " + clock(next[1]) : "all times";
      apply();
    };
    var slide = function () {
      var a = Number(from.value), b = Number(to.value);
      if (a <= 0 && b >= 1000) { setRange(null); return; }
      setRange([axis.start + Math.min(a, b) / 1000 * span, axis.start + Math.max(a, b) / 1000 * span]);
    };
    from.addEventListener("change", slide);
    to.addEventListener("change", slide);
    var origin = null;
    var moment = function (event) {
      var point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      var part = (point.x - axis.left) / (axis.right - axis.left);
      return axis.start + Math.min(Math.max(part, 0), 1) * span;
    };
    svg.addEventListener("pointerdown", function (event) { if (event.button === 0) { origin = moment(event); svg.setPointerCapture(event.pointerId); event.preventDefault(); } });
    svg.addEventListener("pointermove", function (event) { if (origin !== null) { var now = moment(event); setRange([Math.min(origin, now), Math.max(origin, now)]); } });
    svg.addEventListener("pointerup", function (event) {
      if (origin === null) { return; }
      if (Math.abs(moment(event) - origin) < span / 400) { setRange(null); }
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
        Array.prototype.slice.call(body.rows).sort(function (a, b) {
          var x = value(a), y = value(b), order = numeric ? x - y : x < y ? -1 : x > y ? 1 : 0;
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
      if (navigator.clipboard && navigator.clipboard.writeText) { navigator.clipboard.writeText(text).then(function () { done("Copied"); }, fallback); }
      else { fallback(); }
    });
  });

  // Times: as written, or in the reader's zone.
  var local = false;
  var two = function (number) { return (number < 10 ? "0" : "") + number; };
  function clock(ms) {
    var d = new Date(ms);
    return local ? two(d.getHours()) + ":" + two(d.getMinutes()) + ":" + two(d.getSeconds()) : d.toISOString().slice(11, 19) + " UTC";
  }
  all("time").forEach(function (element) { element.dataset.written = element.textContent; element.title = element.dateTime; });
  byId("zone").addEventListener("click", function () {
    local = !local;
    this.setAttribute("aria-pressed", String(local));
    this.textContent = local ? "Show times as written" : "Show my time zone";
    all("time").forEach(function (element) {
      var d = new Date(element.dateTime.replace(/(\.\d{3})\d*/, "$1"));
      element.textContent = local && !isNaN(d) ? d.getFullYear() + "-" + two(d.getMonth() + 1) + "-" + two(d.getDate()) + " " + clock(d.getTime()) : element.dataset.written;
    });
  });

  // Deep links open what they point into; printing opens everything.
  function open() {
    var target = location.hash.length > 1 && byId(decodeURIComponent(location.hash.slice(1)));
    for (var node = target; node; node = node.parentElement) { if (node.tagName === "DETAILS") { node.open = true; } }
    if (target && target.classList.contains("filtered")) { field.value = ""; setRange(null); target.scrollIntoView(); }
  }
  window.addEventListener("hashchange", open);
  open();
  var closed = [];
  window.addEventListener("beforeprint", function () { closed = all("details:not([open])"); closed.forEach(function (d) { d.open = true; }); });
  window.addEventListener("afterprint", function () { closed.forEach(function (d) { d.open = false; }); });
})();
