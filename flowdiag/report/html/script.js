"use strict";
{
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  const on = (target, kind, act) => target.addEventListener(kind, act);
  const hide = (element, off) => element.classList.toggle("filtered", off);
  all(".js").forEach((element) => { element.hidden = false; });

  // Filter: hubble's words, on connections and on the problem that each belongs to.
  const field = byId("filter"), rows = all("tr[data-problem]"), cards = {};
  let range = null;
  all("article[data-problem]").forEach((card) => { cards[card.dataset.problem] = card; });
  // Word of the filter: attributes of a row or its card that are looked into.
  const KEYS = new Map([
    ["source", ["from"]], ["destination", ["to"]], ["to-port", ["port"]], ["traffic-direction", ["direction"]],
    ["drop-reason-desc", ["reason"]], ["code", ["class"]], ["type", ["class"]]
  ]);
  "from to port direction reason protocol policy class severity verdict confidence status".split(" ")
    .forEach((word) => KEYS.set(word, [word]));
  "pod namespace ip label fqdn identity workload service node".split(" ").forEach((word) => {
    const ends = ["from-" + word, "to-" + word];
    ends.forEach((end) => KEYS.set(end, [end]));
    KEYS.set(word, ends);
  });
  const VERDICTS = new Map([["dropped", "denied"], ["forwarded", "allowed"], ["audit", "audited"]]);
  const TYPES = new Map([["drop", ["verdict", ["denied"]]], ["l7", ["class", ["fd404", "fd504"]]]]);

  // One term: negated or not, the attributes to look into (null: everything), and the values of which one must fit.
  function term(word, not) {
    let [, key, value] = /^([a-z][a-z0-9-]*):(.*)$/.exec(word) || [];
    if (!key || /^[0-9a-f:./]*:[0-9a-f:./]*:[0-9a-f:./]*$/.test(word)) { return { word, not, names: null, values: [word] }; }
    if (key === "k8s" || key === "reserved") { value = word; key = "label"; }
    if (key === "type" && value) {
      const [name, values] = TYPES.get(value) || [];
      return { word, key, not, names: name ? [name] : [], values: values || [value] };
    }
    return { word, key, not, names: KEYS.get(key) || [], values: [key === "verdict" && VERDICTS.get(value) || value] };
  }
  // "not port:53", "-port:53", and flags as they are typed to hubble: "--from-pod NAMESPACE/NAME", "--port=53".
  function terms(text) {
    const words = text.toLowerCase().match(/\S+/g) || [], found = [];
    let not = false;
    for (let word = words.shift(); word; word = words.shift()) {
      if (/^--[a-z]/.test(word)) {
        word = word.slice(2).replace("=", ":");
        if (!word.includes(":") && word !== "not") { word += ":" + (words.shift() || ""); }
      } else if (/^-./.test(word)) { not = !not; word = word.slice(1); }
      if (word === "not") { not = !not; }
      else { found.push(term(word, not)); not = false; }
    }
    return found.filter((one) => one.names === null || one.values[0]);
  }
  const held = (row, name) => row.getAttribute("data-" + name) || cards[row.dataset.problem].getAttribute("data-" + name) || "";
  // Bits of the family, and the address as a number; null for what is none.
  function number(text) {
    if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) { return [32, text.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n)]; }
    if (!/^[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}$/.test(text)) { return null; }
    const [head, tail] = text.split("::").map((half) => half ? half.split(":") : []);
    const groups = tail ? [...head, ...Array(Math.max(8 - head.length - tail.length, 0)).fill("0"), ...tail] : head;
    return groups.length === 8 ? [128, groups.reduce((sum, part) => sum * 65536n + BigInt("0x" + (part || "0")), 0n)] : null;
  }
  function within(address, low, size) {
    const at = number(address), from = number(low);
    if (!at || !from || at[0] !== from[0] || size > at[0]) { return false; }
    const shift = BigInt(at[0] - size);
    return at[1] >> shift === from[1] >> shift;
  }
  function like(text, value) {
    let at = 0;
    return value.split("*").every((part) => { const found = text.indexOf(part, at); at = found + part.length; return found >= 0; });
  }
  function fits(name, text, value) {
    const words = text.split(" "), starred = value.includes("*");
    if (/(^port|namespace|identity)$/.test(name)) { return words.includes(value); }
    if (/-ip$/.test(name)) {
      const [, low, size] = /^(.*)\/(\d{1,3})$/.exec(value) || [];
      return words.some((word) => word === value || (low ? within(word, low, Number(size)) : starred && like(word, value)));
    }
    if (/-label$/.test(name)) {
      return value.split(",").every((part) => {
        const label = part.replace(/^k8s:/, "");
        return words.some((word) => word === label || word.startsWith(label + "=") || (starred && like(word, label)));
      });
    }
    return like(text, value);
  }
  function matches(row, one) {
    const card = cards[row.dataset.problem].dataset, mine = row.dataset;
    const found = one.names === null
      ? [card.search, card.policy, card.severity, mine.from, mine.to, mine.port].join(" ").toLowerCase().includes(one.values[0])
      : one.names.some((name) => {
        const text = held(row, name).toLowerCase();
        return text && one.values.some((value) => fits(name, text, value));
      });
    return Boolean(found) !== one.not;
  }
  // Why a term does nothing, or nothing is left: never an empty page without a word.
  function reasons(asked, used) {
    const left = asked.filter((one) => !used.includes(one)).map((one) =>
      one.key === "type" ? `this page knows type:drop and type:l7 only; ${one.word} is left out`
        : KEYS.has(one.key) ? `no connection here has a value for ${one.key}:, so ${one.word} is left out`
        : `this page cannot filter by ${one.key}:, so ${one.word} is left out`);
    const idle = used.filter((one) => !rows.some((row) => matches(row, one)));
    return [...left, ...idle.map((one) => `${one.not ? "not " : ""}${one.word} fits no refused connection`)].join("; ");
  }
  function inRange({ dataset: { start, end = start } }) {
    return !range || (start !== "" && Number(start) <= range[1] && Number(end) >= range[0]);
  }
  function apply() {
    const asked = terms(field.value), kept = {}, cells = {};
    const wanted = asked.filter((one) => one.names === null || rows.some((row) => one.names.some((name) => held(row, name))));
    let shown = 0;
    rows.forEach((row) => {
      const stays = inRange(row) && wanted.every((one) => matches(row, one));
      hide(row, !stays);
      cells[row.dataset.at] = cells[row.dataset.at] || stays;
      if (stays) { shown += 1; kept[row.dataset.problem] = true; }
    });
    all("article[data-problem], .lead li").forEach((item) => hide(item, !kept[item.dataset.problem]));
    const active = wanted.length > 0 || range !== null;
    all("tr[data-start]:not([data-problem])").forEach((row) => hide(row, !inRange(row) || (active && row.dataset.of && !kept[row.dataset.of])));
    all("#policies ~ .scroll tr[data-of]").forEach((row) => hide(row, active && !row.dataset.of.split(" ").some((one) => kept[one])));
    all("td[data-cell]").forEach((cell) => cell.classList.toggle("faded", cells[cell.dataset.cell] === false));
    byId("filter-state").textContent = active ? `${shown} of ${rows.length} connections, ${Object.keys(kept).length} of ${Object.keys(cards).length} problems` : "";
    byId("filter-hint").textContent = reasons(asked, wanted);
  }
  on(field, "input", apply);
  on(byId("clear"), "click", () => { field.value = ""; setRange(null); field.focus(); });
  on(document, "keydown", (event) => {
    const here = document.activeElement;
    if (event.key === "/" && !/INPUT|TEXTAREA/.test(here.tagName) && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); field.focus(); }
    if (event.key === "Escape" && here === field) { field.value = ""; apply(); }
  });

  // Brush: drag over the chart, click a bar, or move the two sliders; filters everything by time.
  const figure = byId("brushed");
  let setRange = (next) => { range = next; apply(); };
  if (figure) {
    const svg = figure.querySelector("svg"), from = byId("brush-from"), to = byId("brush-to"), axis = {};
    for (const key in figure.dataset) { axis[key] = Number(figure.dataset[key]); }
    const span = axis.end - axis.start;
    const shades = all("svg.chart").map((chart) => {
      const shade = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const facts = { class: "shade", y: axis.top, height: chart.dataset.bottom - axis.top, visibility: "hidden" };
      for (const name in facts) { shade.setAttribute(name, facts[name]); }
      return chart.appendChild(shade);
    });
    const part = (at) => (at - axis.start) / span;
    const place = (at) => axis.left + part(at) * (axis.right - axis.left);
    setRange = (next) => {
      range = next;
      shades.forEach((shade) => {
        shade.setAttribute("visibility", next ? "visible" : "hidden");
        if (next) {
          shade.setAttribute("x", place(next[0]));
          shade.setAttribute("width", Math.max(place(next[1]) - place(next[0]), 1));
        }
      });
      from.value = next ? part(next[0]) * 1000 : 0;
      to.value = next ? part(next[1]) * 1000 : 1000;
      say();
      apply();
    };
    const slide = () => {
      const ends = [Number(from.value), Number(to.value)].sort((a, b) => a - b);
      setRange(ends[0] <= 0 && ends[1] >= 1000 ? null : ends.map((end) => axis.start + end / 1000 * span));
    };
    [from, to].forEach((slider) => on(slider, "input", slide));
    let origin = null;
    const moment = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      return axis.start + Math.min(Math.max((point.x - axis.left) / (axis.right - axis.left), 0), 0.9999) * span;
    };
    const dragged = (now) => Math.abs(now - origin) >= span / 400;
    on(svg, "pointerdown", (event) => { if (event.button === 0) { origin = moment(event); svg.setPointerCapture(event.pointerId); event.preventDefault(); } });
    on(svg, "pointermove", (event) => {
      const now = origin !== null && moment(event);
      if (origin !== null && dragged(now)) { setRange([Math.min(origin, now), Math.max(origin, now)]); }
    });
    on(svg, "pointerup", (event) => {
      if (origin !== null && !dragged(moment(event))) {
        const start = axis.start + Math.floor((origin - axis.start) / axis.width) * axis.width;
        setRange(range && origin >= range[0] && origin <= range[1] ? null : [start, start + axis.width - 1]);
      }
      origin = null;
    });
    on(svg, "pointercancel", () => { origin = null; });
  }

  // Sort: a button in every head; the first click sorts numbers down and text up.
  all("table.sortable").forEach((table) => {
    const body = table.tBodies[0], heads = all("thead th", table);
    heads.forEach((head, index) => {
      const button = document.createElement("button"), numeric = head.dataset.sort === "n";
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      on(button, "click", () => {
        const before = head.getAttribute("aria-sort");
        const down = before ? before === "ascending" : numeric && index > 0;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (row) => numeric ? Number(row.cells[index].dataset.value) : row.cells[index].textContent;
        body.append(...all("tr", body).sort((a, b) => {
          const x = value(a), y = value(b), order = x < y ? -1 : x > y ? 1 : 0;
          return down ? -order : order;
        }));
      });
    });
  });

  // Copy as Markdown.
  all("button[data-copy]").forEach((button) => {
    const label = button.innerHTML;
    const done = (word) => { button.textContent = word; setTimeout(() => { button.innerHTML = label; }, 1500); };
    on(button, "click", () => {
      const text = byId(button.dataset.copy).textContent;
      // Pages that came by plain HTTP have no clipboard of the new kind.
      const old = () => {
        const area = document.createElement("textarea");
        area.value = text;
        document.body.append(area);
        area.select();
        done(document.execCommand("copy") ? "Copied" : "Not copied");
        area.remove();
      };
      if (navigator.clipboard) { navigator.clipboard.writeText(text).then(() => done("Copied"), old); } else { old(); }
    });
  });

  // Times: as written, or in the reader's zone.  Tables name it above them, sentences with each moment.
  const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const short = new Intl.DateTimeFormat("en", { timeZoneName: "short" });
  const instant = (element) => Date.parse(element.dateTime.replace(/(\.\d{3})\d*/, "$1"));
  let local = false, days = new Set();
  function zoned(ms) {
    const text = stamp(ms), zone = short.formatToParts(ms).find((part) => part.type === "timeZoneName").value;
    return `${days.size === 1 && days.has(text.slice(0, 10)) ? text.slice(11) : text} ${zone}`;
  }
  function stamp(ms) {
    const moment = new Date(local ? ms - new Date(ms).getTimezoneOffset() * 60000 : ms);
    return moment.toISOString().slice(0, 19).replace("T", " ");
  }
  function say() {
    byId("brush-state").textContent = range ? `${range.map(stamp).join(" to ")}${local ? " (your zone)" : " UTC"}` : "all times";
  }
  const written = new Map(all("time, .zone").map((element) => [element, element.textContent]));
  all("time").forEach((element) => { element.title = element.dateTime; });
  on(byId("zone"), "click", ({ target }) => {
    local = !local;
    target.setAttribute("aria-pressed", local);
    target.textContent = local ? "Show times as written" : "Show my time zone";
    byId("zone-note").textContent = local ? "Charts keep the zone that they name" : "";
    // As in what is written: no day where all of it happened on one.
    days = new Set(all(".when time").map((end) => stamp(instant(end)).slice(0, 10)));
    written.forEach((text, element) => {
      const ms = element.dateTime && instant(element);
      element.textContent = !local || Number.isNaN(ms) ? text : !element.dateTime ? mine : element.className ? zoned(ms) : stamp(ms);
    });
    if (figure) { say(); }
  });

  // Deep links open what they point into; printing opens everything.
  function open() {
    const target = location.hash.length > 1 && byId(location.hash.slice(1));
    for (let node = target; node; node = node.parentElement) { if (node.tagName === "DETAILS") { node.open = true; } }
    if (target && target.classList.contains("filtered")) { field.value = ""; setRange(null); target.scrollIntoView(); }
  }
  on(window, "hashchange", open);
  open();
  let closed = [];
  on(window, "beforeprint", () => { closed = all("details:not([open])"); closed.forEach((one) => { one.open = true; }); });
  on(window, "afterprint", () => closed.forEach((one) => { one.open = false; }));
}
