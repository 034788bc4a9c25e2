"use strict";
// The page has this without comments and indentation: no string and no comment may go over a line's end.
{
  const all = (selector) => [...document.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  const on = (target, kind, act) => target.addEventListener(kind, act);
  all(".js").forEach((element) => { element.hidden = false; });

  // Filter.  A row's facts are the data attributes of its own and of its problem's card: they are named as hubble's
  // flags are, with a dot before another name for the same.
  const field = byId("filter"), rows = all("tr[data-problem]"), cards = all("article");
  let range = null;
  for (const row of rows) {
    row.facts = [...row.attributes, ...byId("p" + row.dataset.problem).attributes].map(({ name, value }) => [name, value.toLowerCase()])
      .filter(([name, text]) => text && /^data-(?!problem|at$|start|end)/.test(name));
  }
  // "port:53", "not port:53", "-port:53", and flags as they are typed to hubble: "--from-pod NAMESPACE/NAME", "--port=53".
  function terms(text) {
    const found = [];
    let not = false;
    const plain = text.toLowerCase().replace(/(?<!\S)--([a-z-]+)(=|\s+|$)/g, (all, flag) => flag === "not" ? "not " : flag + ":");
    for (let word of plain.match(/\S+/g) || []) {
      if (/^-./.test(word)) { not = !not; word = word.slice(1); }
      if (word === "not") { not = !not; continue; }
      let [, key, value] = /^([a-z][a-z0-9-]*):(.*)$/.exec(word) || [];
      if (!key || bits(word.split("/")[0])) { key = ""; value = word; }
      if (/^(k8s|reserved)$/.test(key)) { key = "label"; value = word; }
      value = value.replace(/(^|,)k8s:/g, "$1");
      if (value) { found.push({ word, not, key, value, name: RegExp(`[-.]${key}(\\.|$)`) }); }
      not = false;
    }
    return found;
  }
  // An address as a row of bits, of either family; of anything else none.
  function bits(text) {
    const base = /^\d+(\.\d+){3}$/.test(text) ? 10 : /^[0-9a-f]*(:[0-9a-f]*){2,7}$/.test(text) ? 16 : 0;
    const parts = base ? text.replace("::", ":".repeat(10 - text.split(":").length)).split(/[.:]/) : [];
    return parts.map((part) => parseInt(part || 0, base).toString(2).padStart(base > 10 ? 16 : 8, 0)).join("");
  }
  function within(address, range) {
    const [low, size] = range.split("/"), a = bits(address), b = bits(low), width = size ? Number(size) : b.length;
    return b && a.length === b.length && width <= a.length && a.startsWith(b.slice(0, width));
  }
  function like(text, value) {
    let at = 0;
    return value.split("*").every((part) => (at = text.indexOf(part, at) + part.length) >= part.length);
  }
  const fits = (name, text, value) => !/-(port|namespace|identity|ip|label)$/.test(name) ? like(text, value)
    : value.split(",").every((part) => text.split(" ").some((word) =>
      word === part || word.startsWith(part + "=") || within(word, part) || (part.includes("*") && like(word, part))));
  const has = (row, { key, name, value }) =>
    row.facts.some(([fact, text]) => key ? name.test(fact) && fits(fact, text, value) : text.includes(value));
  const inRange = ({ dataset: { start, end = start } }) => !range || (start && start <= range[1] && end >= range[0]);
  function apply() {
    const kept = {}, cells = {}, hints = [];
    const wanted = terms(field.value).filter((term) => {
      const { key, name, not, word } = term, known = !key || rows.some((row) => row.facts.some(([fact]) => name.test(fact)));
      // Never an empty page without a word.
      if (!known) { hints.push(`nothing here has ${key}:, so ${word} is left out`); }
      else if (!rows.some((row) => has(row, term) !== not)) { hints.push(`${not ? "not " : ""}${word} fits no refused connection`); }
      return known;
    });
    const active = wanted.length > 0 || range !== null;
    const keep = (selector, stays, name = "filtered") =>
      all(selector).forEach((item) => item.classList.toggle(name, active && !stays(item)));
    const kin = ({ dataset: { problem, of = problem } }) => !of || of.split(" ").some((number) => kept[number]);
    let shown = 0;
    keep("tr[data-problem]", (row) => {
      const stays = inRange(row) && wanted.every((term) => has(row, term) !== term.not), { problem, at } = row.dataset;
      if (stays) { shown += 1; kept[problem] = cells[at] = true; }
      return stays;
    });
    keep("article, .lead li", kin);
    keep("tr[data-start]:not([data-problem])", (row) => inRange(row) && kin(row));
    keep("#policies ~ .scroll tr[data-of]", (row) => row.dataset.of && kin(row));
    keep("td[data-cell]", (cell) => cells[cell.dataset.cell], "faded");
    byId("filter-state").textContent = active ? `${shown} of ${rows.length} connections, ${Object.keys(kept).length} of ${cards.length} problems` : "";
    byId("filter-hint").textContent = hints.join("; ");
  }
  function clear() { field.value = ""; brush(null); }
  on(field, "input", apply);
  on(byId("clear"), "click", () => { clear(); field.focus(); });
  on(document, "keydown", (event) => {
    const { key, target } = event;
    if (key === "/" && !target.closest("input") && !(event.ctrlKey || event.metaKey || event.altKey)) { event.preventDefault(); field.focus(); }
    if (key === "Escape" && target === field) { field.value = ""; apply(); }
  });

  // Brush: drag over the chart, click a bar, or move the two sliders; filters everything by time.
  const figure = byId("brushed"), sliders = all(".brush input"), axis = {};
  for (const key in figure?.dataset) { axis[key] = Number(figure.dataset[key]); }
  const { start: first, end: last, left, right, width } = axis, span = last - first;
  function brush(next) {
    range = next;
    const ends = next || [first, last], [x, to] = ends.map((at) => 100 * (left + (at - first) / span * (right - left)));
    document.body.style.setProperty("--from", x + "%");
    document.body.style.setProperty("--wide", (next ? Math.max(to - x, 0.1) : 0) + "%");
    sliders.forEach((slider, index) => { slider.value = ends[index]; });
    say();
    apply();
  }
  if (figure) {
    const svg = figure.querySelector("svg");
    const moment = ({ clientX }) => {
      const box = svg.getBoundingClientRect(), share = ((clientX - box.left) / box.width - left) / (right - left);
      return first + Math.min(Math.max(share, 0), 0.9999) * span;
    };
    let origin, dragged;
    sliders.forEach((slider) => on(slider, "input", () => {
      const ends = sliders.map((one) => Number(one.value)).sort((a, b) => a - b);
      brush(ends[1] - ends[0] >= span ? null : ends);
    }));
    on(svg, "pointerdown", (event) => {
      event.preventDefault();
      svg.setPointerCapture(event.pointerId);
      origin = moment(event);
      dragged = false;
    });
    on(svg, "pointermove", (event) => {
      const now = moment(event);
      dragged ||= Math.abs(now - origin) >= span / 400;
      if (dragged && svg.hasPointerCapture(event.pointerId)) { brush([Math.min(origin, now), Math.max(origin, now)]); }
    });
    on(svg, "click", () => {
      const start = first + Math.floor((origin - first) / width) * width, again = range && origin >= range[0] && origin <= range[1];
      if (!dragged) { brush(again ? null : [start, start + width - 1]); }
    });
  }

  // Sort: a button in every head; the first click sorts counts down and all else up.
  const order = new Intl.Collator("en", { numeric: true }).compare;
  all("#denials-table thead th").forEach((head, index, heads) => {
    const button = document.createElement("button"), [body] = byId("denials-table").tBodies;
    button.append(...head.childNodes);
    head.append(button);
    on(button, "click", () => {
      const down = head.ariaSort ? head.ariaSort === "ascending" : head.className === "n";
      heads.forEach((other) => { other.ariaSort = null; });
      head.ariaSort = down ? "descending" : "ascending";
      const value = ({ cells }) => cells[index].dataset.value || cells[index].textContent;
      body.append(...[...body.rows].sort((a, b) => (down ? -1 : 1) * order(value(a), value(b))));
    });
  });

  // Copy as Markdown, as pages that came by plain HTTP may, too.
  all("[data-copy]").forEach((button) => on(button, "click", () => {
    const area = byId(button.dataset.copy), label = button.innerHTML;
    area.hidden = false;
    area.select();
    button.textContent = document.execCommand("copy") ? "Copied" : "Not copied";
    area.hidden = true;
    button.focus();
    setTimeout(() => { button.innerHTML = label; }, 1500);
  }));

  // Times: as written, or in the reader's zone.  Tables name it above them, sentences with each moment.
  let local = false, days;
  // Swedish dates are those of ISO 8601.
  const stamp = (ms, options = local ? {} : { timeZone: "UTC" }) => new Date(ms).toLocaleString("sv", options);
  const instant = ({ dateTime }) => Date.parse(dateTime.replace(/(\.\d{3})\d*/, "$1"));
  const written = new Map(all("time, .zone").map((element) => [element, element.textContent]));
  function say() {
    byId("brush-state").textContent = range ? `${stamp(range[0])} to ${stamp(range[1])} ${local ? "(your zone)" : "UTC"}` : "all times";
    sliders.forEach((slider) => { slider.ariaValueText = stamp(Number(slider.value)); });
  }
  function told(element) {
    if (!element.dateTime) { return Intl.DateTimeFormat().resolvedOptions().timeZone; }
    const text = stamp(instant(element), element.className && { timeZoneName: "short" });
    // As in what is written: no day where all of it happened on one.
    return element.className && days.every((day) => text.startsWith(day)) ? text.slice(11) : text;
  }
  all("time").forEach((element) => { element.title = element.dateTime; });
  on(byId("zone"), "click", ({ target }) => {
    local = !local;
    target.ariaPressed = local;
    byId("zone-note").textContent = local ? "Charts keep the zone that they name" : "";
    days = all(".when time").map((end) => stamp(instant(end)).slice(0, 10));
    written.forEach((text, element) => { element.textContent = local ? told(element) : text; });
    if (figure) { say(); }
  });

  // A deep link shows what it points at whatever the filter; printing opens everything.
  on(window, "hashchange", () => {
    const target = document.querySelector(".filtered:target");
    if (target) { clear(); target.scrollIntoView(); }
  });
  let closed = [];
  on(window, "beforeprint", () => { closed = all("details:not([open])"); closed.forEach((one) => { one.open = true; }); });
  on(window, "afterprint", () => closed.forEach((one) => { one.open = false; }));
}
