"use strict";
// The page has this without comments and blanks: no string and no comment goes over a line's end, no sign stands before
// the same sign, and no regular expression holds a blank.
{
  const all = css => [...document.querySelectorAll(css)], byId = id => document.getElementById(id),
    on = (target, kind, act) => target.addEventListener(kind, act),
    // Where nothing has a time there is no place to tell of times.
    tell = (id, text) => { (byId(id) || {}).textContent = text; };
  for (const one of all(".js")) { one.hidden = false; }

  // Filter.  A row's facts are those attributes of its own and of its problem's card that end in a dot: they are named
  // as hubble's flags are, with a dot before another name for the same; two dots are for what is found whole only.
  const field = byId("filter"), rows = all("tr[data-problem]");
  for (const row of rows) {
    row.facts = [...row.attributes, ...byId("p" + row.dataset.problem).attributes].filter(({ name }) => name.endsWith("."));
  }
  // "port:53", "not port:53", "-port:53", and flags as they are typed to hubble: "--from-pod NAMESPACE/NAME", "--port=53".
  const terms = () => [...field.value.toLowerCase().replace(/(?<!\S)--(?!not\b)([a-z-]+)(=|\s+|$)/g, "$1:").replace(/(?<!\S)(--)?not(\s+|$)/g, "-")
    .matchAll(/(?<!\S)(-*)(([a-z][a-z0-9-]*):)?(\S*)/g)].map(([, dashes, head = "", flag, rest]) => {
      const word = head + rest, key = /^(k8s|reserved)$/.test(flag) ? "label" : bits(word) ? "" : flag;
      return {
        word, key, value: (key === flag ? rest : word).replace(/(^|,)k8s:/g, "$1"), not: dashes.length % 2 > 0,
        name: RegExp(key && `[-.]${key}\\.`)
      };
    }).filter(({ value }) => value),
    // An address or range as its family and a row of bits; of anything else none.
    bits = text => {
      const base = /^\d+(\.\d+){3}(\/\d+)?$/.test(text) ? 10 : /^[0-9a-f]*(:[0-9a-f]*){2,7}(\/\d+)?$/.test(text) ? 16 : 0,
        [low, size] = text.split("/");
      return base ? base + low.replace("::", ":".repeat(10 - low.split(":").length)).split(/[.:]/)
        .map(part => parseInt(part || 0, base).toString(2).padStart(base > 10 ? 16 : 8, 0)).join("").slice(0, size) : "";
    },
    like = (text, value, at = 0) => value.split("*").every(part => (at = text.indexOf(part, at) + part.length) >= part.length),
    // Exactly, a label by its key, an address by its range, or with a star.
    equal = (word, part) => (word + "=").startsWith(part + "=") || (bits(part) && bits(word).startsWith(bits(part)))
      || (part.includes("*") && like(word, part)),
    facts = (row, { name }) => row.facts.filter(fact => name.test(fact.name)),
    has = (row, term) => facts(row, term).some(({ name, value }) => term.key && name.endsWith("..")
      ? term.value.split(",").every(part => value.split(" ").some(word => equal(word, part))) : like(value, term.value)),
    inRange = ({ dataset: { start, end = start } }) => !(range && (start >= range[1] || end < range[0])),
    apply = () => {
      const hints = [], wanted = terms().filter(term => {
        const { word, key, not } = term, known = !key || rows.some(row => facts(row, term).length);
        // Never an empty page without a word.
        if (!known) { hints.push(`nothing here has ${key}:, so ${word} is left out`); }
        else if (!rows.some(row => has(row, term) !== not)) { hints.push(`${not ? "not " : ""}${word} fits no refused connection`); }
        return known;
      }), active = range || wanted.length,
        hits = rows.filter(row => inRange(row) && wanted.every(term => has(row, term) !== term.not)),
        seen = key => new Set(hits.map(({ dataset }) => dataset[key])), cells = seen("at"), kept = seen("problem"),
        kin = ({ dataset: { problem, of = problem } }) => !of || of.split(" ").some(one => kept.has(one)),
        keep = (css, stays, name = "filtered") => all(css).forEach(item => item.classList.toggle(name, active && !stays(item)));
      keep("article, .lead li, tr[data-of], tr[data-start]", item => inRange(item) && kin(item));
      keep("tr[data-problem]", row => hits.includes(row));
      keep("td[data-cell]", ({ dataset }) => cells.has(dataset.cell), "faded");
      tell("filter-state", active ? `${hits.length} of ${rows.length} connections, ${kept.size} of ${all("article").length} problems` : "");
      tell("filter-hint", hints.join("; "));
    },
    clear = () => { field.value = ""; choose(); };
  on(field, "input", apply);
  on(byId("clear"), "click", () => { clear(); field.focus(); });
  on(document, "keydown", event => {
    const { key, target } = event;
    if (key === "/" && !target.closest("input") && !(event.ctrlKey || event.metaKey || event.altKey)) { event.preventDefault(); field.focus(); }
    if (key === "Escape" && target === field) { field.value = ""; apply(); }
  });

  // Brush: the two sliders, and on the chart a click on a bar or a drag over some; filters everything by time.
  const sliders = all(".brush input"), [first, last, width] = ["min", "max", "step"].map(name => +sliders[0]?.[name]),
    choose = (from = first, to = last) => {
      sliders.forEach((one, index) => { one.value = index ? to : from; });
      brush();
    },
    brush = () => {
      const ends = sliders.map(({ value }) => +value).sort((a, b) => a - b), [from, to] = ends.map(at => (at - first) / (last - first) * 100);
      range = to - from < 100 && ends;
      document.body.style = range ? `--from:${from}%;--to:${to}%` : "";
      say();
      apply();
    };
  let range, origin, dragged, days, local;
  sliders.forEach(one => on(one, "input", brush));
  for (const plot of all("#brushed .plot")) {
    const chart = plot.closest(".chart"), bar = ({ clientX }) => {
      const box = plot.getBoundingClientRect(), at = Math.min(Math.max((clientX - box.left) / box.width, 0), 0.9999) * (last - first);
      return first + at - at % width;
    };
    on(chart, "pointerdown", event => {
      chart.setPointerCapture(event.pointerId);
      origin = bar(event);
      dragged = false;
    });
    on(chart, "pointermove", event => {
      const now = bar(event);
      if (chart.hasPointerCapture(event.pointerId) && (dragged ||= now !== origin)) { choose(Math.min(origin, now), Math.max(origin, now) + width); }
    });
    on(chart, "click", () => {
      const again = range && origin >= range[0] && origin < range[1];
      if (!dragged) { again ? choose() : choose(origin, origin + width); }
    });
  }

  // Sort: a button in every head; the first click sorts counts down and all else up.
  const order = new Intl.Collator("en", { numeric: true }).compare;
  all(".sortable th").forEach((head, column, heads) => {
    head.innerHTML = `<button>${head.innerHTML}</button>`;
    on(head.firstChild, "click", () => {
      const down = head.ariaSort ? head.ariaSort === "ascending" : head.className,
        value = ({ cells: { [column]: cell } }) => cell.dataset.value || cell.textContent;
      for (const one of heads) { one.ariaSort = null; }
      head.ariaSort = down ? "descending" : "ascending";
      rows[0].parentNode.append(...rows.sort((a, b) => (down ? -1 : 1) * order(value(a), value(b))));
    });
  });

  // Copy as Markdown, as pages that came by plain HTTP may, too.
  for (const button of all("[data-copy]")) {
    const area = byId(button.dataset.copy), label = button.innerHTML;
    on(button, "click", () => {
      area.hidden = false;
      area.select();
      button.textContent = document.execCommand("copy") ? "Copied" : "Not copied";
      area.hidden = true;
      button.focus();
      setTimeout(() => { button.innerHTML = label; }, 1500);
    });
  }

  // Times: as written, or in the reader's zone.  Tables name it above them, sentences with each moment; Swedish dates are those of ISO 8601.
  const stamp = (time, options = local ? {} : { timeZone: "UTC" }) => new Date(time).toLocaleString("sv", options),
    written = new Map(all("time, .zone").map(one => [one, one.textContent])),
    say = () => {
      tell("brush-state", range ? `${stamp(range[0])} to ${stamp(range[1])} ${local ? "(your zone)" : "UTC"}` : "all times");
      for (const one of sliders) { one.ariaValueText = stamp(+one.value); }
    },
    told = ({ dateTime, className }) => {
      if (!dateTime) { return Intl.DateTimeFormat().resolvedOptions().timeZone; }
      const text = stamp(dateTime, className && { timeZoneName: "short" });
      // As in what is written: no day where all of it happened on one.
      return className && days.every(day => text.startsWith(day)) ? text.slice(11) : text;
    };
  on(byId("zone"), "click", ({ target }) => {
    target.ariaPressed = local = !local;
    days = all(".when time").map(({ dateTime }) => stamp(dateTime).slice(0, 10));
    written.forEach((text, one) => { one.textContent = local ? told(one) : text; });
    say();
  });

  // A deep link shows what it points at whatever the filter.
  on(window, "hashchange", () => {
    for (const one of all(".filtered:target")) { clear(); one.scrollIntoView(); }
  });
}
