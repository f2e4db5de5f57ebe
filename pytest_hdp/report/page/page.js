
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const EYES = ["sent", "left", "arrived", "delivered"];
  const GRAVITY = ["failed", "skipped", "xfailed", "passed"];
  const $ = (id) => document.getElementById(id);

  // Every text goes in by textContent: nothing that came from a network is ever read as markup.
  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== ""));
    return element;
  }
  function draw(tag, attributes, text) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }
  const keyOf = (verdict, outcome) => `${verdict}|${outcome}`;
  const legend = new Map(data.verdicts.map((each) => [keyOf(each.verdict, each.outcome), each]));
  const looks = (train) => legend.get(keyOf(train.v, train.o));
  const family = (verdict) => (data.verdicts.find((each) => each.verdict === verdict) || {}).family || "open2";
  const noted = (look) => look.words + (look.note ? ` (${look.note})` : "");
  const named = (train) => `${train.p}${train.k ? " " + train.k : ""}${train.behind ? " behind " + train.behind : ""}`;
  for (const { chain, trains } of data.courses) if (chain) for (const train of trains) train.behind = chain.name;
  const tableOf = new Map(data.headers.flatMap((table) => table.courses.map((index) => [index, table])));
  const inTable = new Set(data.headers.flatMap((table) => [...table.courses, ...(table.alone ? table.controls : [])]));
  const undrawn = (index) => inTable.has(index) && index !== (tableOf.get(index) || { courses: [] }).courses[0];
  const byPath = new Map();  // by key: its courses, each with its number
  data.courses.forEach((course, index) => byPath.set(course.key, [...(byPath.get(course.key) ?? []), [course, index]]));
  const paths = [...byPath.keys()];
  function through(course) {
    if (course.box) return outside(course);
    const there = course.trains.filter((each) => family(each.v).startsWith("pass")).length;
    const open = course.trains.filter((each) => family(each.v).startsWith("open")).length;
    return `${there} of ${course.trains.length} numbers got through${open ? `, ${open} undecided` : ""}`;
  }

  function outside(course) {  // "got through" is no word for a box: who is in it did not
    const [leaked, allowed, contained] = course.direction === "reverse" ? ["got in", "came in and may", "stayed out of the box"] : ["got out", "left and may", "stayed in the box"];
    const words = new Map([["leaked", leaked], ["allowed", allowed], ["contained", contained], ["blocked", "blocked"], ["unproven", "unproven"]]);
    const counts = [...words].map(([word, said]) => [course.trains.filter((each) => each.v === word).length, said]);
    return `${course.trains.length} numbers: ${counts.filter(([count]) => count).map(([count, said]) => `${count} ${said}`).join(", ")}`;
  }

  // --- surprises, first

  function showSurprises() {
    for (const [id, title, those] of [
      ["surprises", data.expected ? "Not as expected" : data.courses.some((each) => each.box) ? "Not contained, or not proven" : "Did not get through", data.surprises.filter((each) => each.failed)],
      ["open", "Undecided", data.surprises.filter((each) => !each.failed)],
    ]) {
      const box = $(id);
      if (those.length) box.append(make("h2", {}, title));
      for (const each of those.slice(0, 200)) {
        const course = data.courses[each.course];
        const where = data.courses.length > 1 ? make("small", {}, `${course.title}, ${course.course}`) : null;
        box.append(make("p", { class: each.failed ? "surprise" : "surprise open" }, where, each.text));
      }
      box.hidden = !those.length;
    }
  }

  // --- filter

  const pressed = new Set();
  let wanted = "";
  const cells = [];

  function showFilters() {
    const bar = $("filters");
    for (const look of data.verdicts) {
      const key = keyOf(look.verdict, look.outcome);
      const chip = make(
        "button",
        { type: "button", class: "chip", "aria-pressed": "false", title: look.means, "data-verdict": look.verdict },
        make("span", { class: `mark ${look.family}`, "aria-hidden": "true" }, look.letter),
        noted(look),
        make("small", {}, String(look.count)),
      );
      chip.addEventListener("click", () => {
        pressed.has(key) ? pressed.delete(key) : pressed.add(key);
        chip.setAttribute("aria-pressed", String(pressed.has(key)));
        filter();
      });
      bar.append(chip);
    }
    const find = make("input", { id: "find", type: "search", placeholder: "Find 47, gre, 130-140", "aria-label": "Find numbers or keywords" });
    find.addEventListener("input", () => {
      wanted = find.value.trim().toLowerCase();
      filter();
    });
    bar.append(find, make("span", { id: "shown", class: "soft", role: "status" }));
    bar.hidden = !data.courses.length;
  }
  function matches(train) {
    if (pressed.size && !pressed.has(keyOf(train.v, train.o))) return false;
    if (!wanted) return true;
    return wanted.split(/[\s,]+/).some((word) => {
      const range = /^(\d+)-(\d+)$/.exec(word);
      if (range) return train.p >= +range[1] && train.p <= +range[2];
      if (/^-?\d+$/.test(word)) return train.p === +word;
      return word && `${train.k || ""} ${train.behind || ""}`.toLowerCase().includes(word);
    });
  }
  function filter() {
    let shown = 0;
    for (const { link, train } of cells) {
      const yes = matches(train);
      link.classList.toggle("dim", !yes);
      shown += yes;
    }
    $("shown").textContent = pressed.size || wanted ? `${shown} of ${cells.length}` : "";
    if ($("all") && $("all").open) fillTable();
  }

  // --- the path, drawn: how many trains are still alive at each point, and where the others ended

  function drawRoute(svg, course) {
    const width = Math.max(280, svg.parentElement.clientWidth - 36 || 480);
    const nodes = course.nodes, last = nodes.length - 1, total = course.trains.length || 1;
    const x = (at) => 12 + (at / last) * (width - 24);
    const tight = (width - 24) / last < 104;
    const few = nodes.length <= 7;
    const told = new Set([0, last]);
    for (const [, at] of course.ends) if (at !== null) [Math.floor(at), Math.ceil(at)].forEach((index) => told.add(index));
    const rows = tight ? Math.min(2, nodes.length - 2) : 0;
    const middle = 46 + 28 * rows, thick = (count) => (count ? Math.max(1.5, (20 * count) / total) : 0);
    svg.replaceChildren();
    const stops = new Map();
    for (const end of course.ends) {
      const at = end[1] === null ? last / 2 : end[1];
      stops.set(at, [...(stops.get(at) || []), end]);
    }
    let alive = total, from = 0, deepest = middle + 14;
    const dropped = (at) => (stops.get(at) || []).filter((end) => at < last || !["pass1", "pass2"].includes(family(end[0])));
    for (const at of [...[...stops.keys()].filter((each) => each < last).sort((a, b) => a - b), last]) {
      if (at > from) {
        const height = thick(alive);
        if (height) svg.append(draw("rect", { class: "flow", x: x(from), y: middle - height / 2, width: x(at) - x(from), height }));
        else svg.append(draw("line", { class: "none", x1: x(from), y1: middle, x2: x(at), y2: middle }));
        from = at;
      }
      const ended = dropped(at);
      ended.forEach((end, index) => {
        const spread = (ended.length - 1) * 31, group = Math.min(width - 26 - spread, Math.max(26 + spread, x(at)));
        const centre = group - spread + index * 62;
        const half = Math.max(1.5, thick(end[2]) / 2), top = middle + thick(alive) / 2 - half, bottom = middle + 34, start = x(at);
        const path = `M${start - half * 2},${top - half} C${start + half},${top} ${centre - half},${top + 10} ${centre - half},${bottom} L${centre + half},${bottom} C${centre + half},${top + 10} ${start + half * 2},${top} ${start + half},${top - half} Z`;
        svg.append(draw("path", { class: `drop ${family(end[0])}${end[1] === null ? " somewhere" : ""}`, d: path }));
        mark(svg, centre, bottom + 12, end);
        deepest = Math.max(deepest, bottom + 24);
      });
      alive -= ended.reduce((sum, end) => sum + end[2], 0);
    }
    nodes.forEach(([name, what], index) => {
      svg.append(draw("circle", { class: name ? "node" : "node unknown", cx: x(index), cy: middle, r: few ? 6 : 4 }));
      const anchor = index === 0 ? "start" : index === last ? "end" : "middle";
      const place = index === 0 ? x(index) - 6 : index === last ? x(index) + 6 : x(index);
      const lower = index === 0 || index === last || !rows ? 0 : rows === 1 || index % 2 ? 28 : 56;
      if (few || told.has(index)) {
        svg.append(draw("text", { x: place, y: 10 + lower, "text-anchor": anchor }, name || "hops unknown"));
        svg.append(draw("text", { class: "what", x: place, y: 23 + lower, "text-anchor": anchor }, what));
      }
    });
    const arrived = (stops.get(last) || []).filter((end) => ["pass1", "pass2"].includes(family(end[0])));
    arrived.forEach((end, index) => {
      mark(svg, width - 30 - index * 62, middle + 26, end);
      deepest = Math.max(deepest, middle + 38);
    });
    svg.setAttribute("viewBox", `0 0 ${width} ${deepest}`);
    svg.setAttribute("aria-label", routeInWords(course));
  }
  function mark(svg, x, y, [verdict, , count]) {
    const look = data.verdicts.find((each) => each.verdict === verdict);
    svg.append(draw("text", { class: "count", x: x - 3, y: y + 4, "text-anchor": "end" }, String(count)));
    svg.append(draw("circle", { class: `drop ${family(verdict)}`, cx: x + 9, cy: y, r: 8 }));
    const letter = draw("text", { x: x + 9, y: y + 4, "text-anchor": "middle", class: "count" }, look ? look.letter : "~");
    letter.style.fill = `var(--${family(verdict)}-t)`;
    svg.append(letter);
  }
  function routeInWords(course) {
    const ends = course.ends.map(([verdict, , count, where]) => `${count} ${verdict.replaceAll("_", " ")}${where ? " " + where : ""}`);
    return `Path ${course.nodes.map(([name, what]) => `${name || "?"} (${what})`).join(", ")}. ${ends.join(", ")}.`;
  }

  // --- the grid

  function worst(trains) {
    return trains.reduce((a, b) => (rank(b) < rank(a) ? b : a));
  }
  function rank(train) {
    const found = GRAVITY.indexOf(train.o);
    return found < 0 ? GRAVITY.length : found;
  }
  function cellOf(number, train, listed = true) {
    const look = looks(train);
    const link = make("a", {
      class: `cell ${look.family}${train.o === "failed" ? " failed" : ""}${(data.courses[number].framed || []).includes(train.p) ? " framed" : ""}`,
      href: `#t${number}-${train.p}`, tabindex: "-1", "aria-label": `${named(train)}: ${noted(look)}`,
    }, look.letter);
    if (listed) cells.push({ link, train });
    return link;
  }
  function gridOf(course, number) {
    const byNumber = new Map();
    for (const train of course.trains) byNumber.set(train.p, worst([...(byNumber.has(train.p) ? [byNumber.get(train.p)] : []), train]));
    const links = new Map();
    const inside = [...byNumber.keys()].filter((p) => p >= 0 && p <= 255);
    const box = make("div", {});
    if (inside.length) {
      const head = make("tr", { role: "row" }, make("td", { class: "corner", role: "presentation" }));
      head.firstChild.replaceWith(make("th", { class: "corner", "aria-label": "first number of the row" }));
      for (let column = 0; column < 16; column++) head.append(make("th", { scope: "col", role: "columnheader" }, column.toString(16)));
      const body = make("tbody", {});
      for (const row of [...new Set(inside.map((p) => p >> 4))].sort((a, b) => a - b)) {
        const line = make("tr", { role: "row" }, make("th", { scope: "row", role: "rowheader", title: `0x${row.toString(16)}_` }, String(row * 16)));
        for (let column = 0; column < 16; column++) {
          const p = row * 16 + column, cell = make("td", { role: "gridcell" });
          if (byNumber.has(p)) {
            links.set(p, cellOf(number, byNumber.get(p)));
            cell.append(links.get(p));
          }
          line.append(cell);
        }
        body.append(line);
      }
      box.append(make("table", { class: "grid", role: "grid", "aria-label": `${course.title}, ${course.course}: protocol numbers` }, make("thead", {}, head), body));
    }
    const outside = [...byNumber.keys()].filter((p) => p < 0 || p > 255).sort((a, b) => a - b);
    if (outside.length) {
      const list = make("div", { class: "outside" }, make("span", { class: "soft" }, "out of range"));
      for (const p of outside) {
        links.set(p, cellOf(number, byNumber.get(p)));
        links.get(p).textContent = `${p} ${links.get(p).textContent}`;
        list.append(links.get(p));
      }
      box.append(list);
    }
    if (course.framed) box.append(make("p", { class: "soft framed-note" }, course.framed_note));
    walk(box, links);
    return box;
  }
  // --- what passes behind extension headers: a row for each chain of them, a column for each transport

  function headersOf(table, first) {
    const chains = table.courses.map((index) => [data.courses[index], index]);
    const columns = [...new Set(chains.flatMap(([course]) => course.trains.map((train) => train.p)))].sort((a, b) => a - b);
    const keyword = (p) => (chains.flatMap(([course]) => course.trains).find((train) => train.p === p) || {}).k || "";
    const body = make("tbody", {}), rows = [];
    const without = columns.map((p) => {
      const index = table.controls.find((each) => data.courses[each].trains.some((train) => train.p === p));
      return index === undefined ? null : [index, worst(data.courses[index].trains.filter((train) => train.p === p))];
    });
    if (without.some((each) => each)) row([make("th", { scope: "row", colspan: 2 }, "none: the control")], without, [], table.alone);
    chains.forEach(([course, index], at) => {
      const same = (offset) => (chains[at + offset] || [{}])[0].chain?.kinds === course.chain.kinds;
      const heads = [make("td", { class: "num" }, String(course.chain.bytes))];
      if (!same(-1)) {
        let span = 1;
        while (same(span)) span++;
        heads.unshift(make("th", { scope: "rowgroup", rowspan: span }, course.chain.kinds));
      }
      const found = columns.map((p) => course.trains.filter((train) => train.p === p)).map((those) => (those.length ? [index, worst(those)] : null));
      row(heads, found, course.chain.fates, true);
    });
    function row(heads, found, fates, listed) {
      const links = found.map((each) => each && cellOf(...each, listed));
      rows.push(links);
      body.append(make("tr", {}, ...heads, ...links.map((link) => make("td", { class: "one" }, link || "–")), make("td", { class: "died" }, fates.join("; "))));
    }
    const head = make("tr", {}, make("th", { scope: "col" }, "extension headers"), make("th", { scope: "col" }, "bytes"),
      ...columns.map((p) => make("th", { scope: "col", class: "one" }, String(p), make("small", {}, keyword(p)))), make("th", { scope: "col" }, "where it died"));
    const box = make("div", { class: "scroll" }, make("table", { class: "plain headers" }, make("thead", {}, head), body));
    walk(box, new Map(rows.flatMap((links, y) => links.flatMap((link, x) => (link ? [[y * 16 + x, link]] : [])))));
    const lost = chains.map(([course]) => course.control).filter(([, sent]) => sent).sort((a, b) => a[0] / a[1] - b[0] / b[1])[0];
    const control = !lost ? "no control" : lost[0] >= lost[1] ? "control: nothing lost" : `control: at worst ${lost[0]} of ${lost[1]} came through`;
    return make("article", { class: "course wide", id: `c${first}` },
      make("header", {}, make("h3", {}, table.title), make("span", { class: "soft" }, `${table.counted}; ${control}`)), box);
  }
  function walk(box, links) {
    const order = [...links.keys()].sort((a, b) => a - b);
    if (!order.length) return;
    links.get(order[0]).tabIndex = 0;
    box.addEventListener("keydown", (event) => {
      const link = event.target.closest(".cell");
      if (!link || event.altKey || event.ctrlKey || event.metaKey) return;
      const here = order.findIndex((p) => links.get(p) === link), p = order[here];
      const goal = {
        ArrowRight: () => order[here + 1], ArrowLeft: () => order[here - 1],
        ArrowDown: () => order.find((each) => each >= p + 16), ArrowUp: () => order.findLast((each) => each <= p - 16),
        Home: () => order[0], End: () => order[order.length - 1],
      }[event.key];
      if (!goal) {
        if (event.key === " ") { event.preventDefault(); link.click(); }
        return;
      }
      event.preventDefault();
      const next = links.get(goal());
      if (!next) return;
      link.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  }
  function letters() {
    const list = make("dl", {});
    for (const look of data.verdicts) list.append(make("dt", {}, make("span", { class: `mark ${look.family}` }, look.letter), ` ${noted(look)}`), make("dd", {}, look.means));
    return make("div", { class: "key" }, make("h3", {}, "What the letters mean"), list, make("p", { class: "soft" }, "Choose a number to see what each of its packets was seen to do. Capitals are surprises. A pale branch of the path ended somewhere on it: nobody knows at which hop."));
  }
  const routes = [];
  function showCourses() {
    const all = $("grids");
    for (const those of byPath.values()) {
      const section = make("section", { class: "path" }, make("h2", {}, those[0][0].path));
      const list = make("div", { class: "courses" });
      for (const [course, index] of those) {
        if (undrawn(index)) continue;
        if (course.chain) { list.append(headersOf(tableOf.get(index), index)); continue; }
        const way = course.course[0].toUpperCase() + course.course.slice(1);
        const [came, sent] = course.control;
        const control = sent ? (came >= sent ? "control: nothing lost" : `control: at worst ${came} of ${sent} came through`) : "no control";
        const svg = draw("svg", { class: "route", role: "img" });
        routes.push([svg, course]);
        list.append(make("article", { class: "course", id: `c${index}` },
          make("header", {}, make("h3", {}, way), make("span", { class: "soft" }, course.box ? through(course) : `${through(course)}; ${control}`)),
          svg, gridOf(course, index)));
      }
      if (those.length === 1 && paths.length === 1) list.append(letters());
      section.append(list);
      all.append(section);
    }
    routes.forEach(([svg, course]) => drawRoute(svg, course));
  }

  // --- several paths, side by side

  function showMatrix() {
    const box = $("matrix"), plain = data.courses.map((_, index) => index).filter((index) => !data.courses[index].chain);
    const several = data.courses.filter((_, index) => !undrawn(index)).length > 2 || paths.length > 1;
    if (several) {
      const body = make("tbody", {});
      data.courses.forEach((course, index) => {
        if (undrawn(index)) return;
        const table = tableOf.get(index);
        const strip = draw("svg", { class: "strip", viewBox: "0 0 256 20", preserveAspectRatio: "none", "aria-hidden": "true" });
        const worstOf = new Map();
        for (const train of table ? [] : course.trains) if (train.p >= 0 && train.p < 256) worstOf.set(train.p, worst([...(worstOf.has(train.p) ? [worstOf.get(train.p)] : []), train]));
        let run = null;
        const flush = () => run && strip.append(draw("rect", { class: run.family, x: run.from, y: 0, width: run.to - run.from, height: 20 }));
        for (let p = 0; p < 256; p++) {
          const look = worstOf.has(p) ? looks(worstOf.get(p)).family : null;
          if (run && run.family === look && run.to === p) run.to = p + 1;
          else { if (run) flush(); run = look ? { family: look, from: p, to: p + 1 } : null; }
        }
        flush();
        body.append(make("tr", {}, make("td", { class: "num" }, String(index + 1)), make("td", {}, make("a", { href: `#c${index}` }, course.path)),
          make("td", {}, table ? table.title : course.course), make("td", {}, table ? table.counted : through(course)), make("td", {}, table ? "" : strip)));
      });
      box.append(make("h2", {}, "All paths"), make("div", { class: "scroll" }, make("table", { class: "plain paths" },
        make("thead", {}, make("tr", {}, ...["", "path", "direction, form", "in all", "numbers 0 to 255"].map((text) => make("th", { scope: "col" }, text)))), body)));
    }
    if (data.differ.length) {
      const heads = plain.map((index) => (paths.length > 1 ? String(index + 1) : data.courses[index].course));
      const body = make("tbody", {});
      for (const row of data.differ) {
        body.append(make("tr", {}, make("td", {}, row.numbers), ...plain.map((index) => {
          const cell = row.cells[index];
          if (!cell) return make("td", {}, "–");
          const look = legend.get(keyOf(cell[0], cell[1]));
          return make("td", {}, make("span", { class: `mark ${look.family}`, title: noted(look) }, look.letter), " ", paths.length > 1 && data.courses.length > 4 ? "" : look.words);
        })));
      }
      const table = make("div", { class: "scroll" }, make("table", { class: "plain" }, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "numbers"), ...heads.map((head) => make("th", { scope: "col" }, head)))), body));
      const count = data.differ.reduce((sum, row) => sum + row.count, 0);
      const details = make("details", {}, make("summary", {}, `${count} number${count === 1 ? "" : "s"} fared differently ${paths.length > 1 ? "on these paths" : "by direction or form"}`), table);
      details.open = paths.length > 1 && data.differ.length <= 12;
      box.append(details);
    }
    box.hidden = !box.childElementCount;
  }

  // --- the evidence for one cell

  let opener = null;
  function time(ns) {
    if (ns === null || ns === undefined) return "";
    const size = Math.abs(ns);
    const [value, unit] = size < 1e3 ? [ns, "ns"] : size < 1e6 ? [ns / 1e3, "µs"] : size < 1e9 ? [ns / 1e6, "ms"] : [ns / 1e9, "s"];
    return `+${unit === "ns" ? value : value.toPrecision(3)} ${unit}`.replace("+-", "−");
  }
  function openEvidence(number, p) {
    const course = data.courses[number];
    const trains = course ? course.trains.filter((each) => each.p === p) : [];
    const box = $("evidence");
    box.replaceChildren();
    cells.forEach(({ link }) => link.removeAttribute("aria-current"));
    if (!trains.length) return closeEvidence();
    for (const train of trains) {
      const look = looks(train);
      const close = make("button", { type: "button", class: "close" }, "Close");
      close.addEventListener("click", closeEvidence);
      box.append(make("div", { class: "top" }, make("h2", {}, named(train)), make("span", { class: `verdict ${look.family}` }, noted(look)),
        make("span", { class: "soft" }, `${course.title}, ${course.course}`), train === trains[0] ? close : ""));
      box.append(make("p", { class: "sentence" }, data.texts[train.x]), factsOf(course, train), lineOf(course, train), hopsOf(course, train));
    }
    const cell = cells.find(({ link }) => link.getAttribute("href") === `#t${number}-${p}`);
    if (cell) { cell.link.setAttribute("aria-current", "true"); opener = cell.link; }
    box.hidden = false;
    box.scrollTop = 0;
    box.focus({ preventScroll: true });
    if (cell) {
      const seen = cell.link.getBoundingClientRect(), floor = box.getBoundingClientRect().top;
      if (seen.bottom > floor - 8 || seen.top < 0) window.scrollBy({ top: seen.bottom - floor + 60 });
    }
  }
  function closeEvidence() {
    $("evidence").hidden = true;
    cells.forEach(({ link }) => link.removeAttribute("aria-current"));
    if (location.hash.startsWith("#t")) history.replaceState(null, "", location.pathname + location.search);
    if (opener) opener.focus({ preventScroll: true });
    opener = null;
  }
  function factsOf(course, train) {
    const facts = make("dl", { class: "facts" });
    const add = (label, value) => value !== "" && value !== undefined && value !== null && facts.append(make("div", {}, make("dt", {}, label), make("dd", {}, String(value))));
    if (train.o === "failed") add("surprise", train.got);
    add("where", train.place);
    EYES.forEach((eye, index) => add(eye, train.n[index] === null ? "not observed" : train.n[index]));
    add("errno", train.errno);
    add("left as", train.wire);
    add("control", train.control[1] ? `${train.control[0]} of ${train.control[1]}` : "none");
    add("bound", train.bound);
    add("changed", train.changed);
    add("rewritten on the way", train.rewritten);
    add("TTL on arrival", train.ttl);
    add("source", train.nat);
    add("sent to", train.to);
    add("last hop", train.hop);
    add("duplicates", train.dup);
    add("reordered", train.re);
    (train.icmp || []).forEach((text) => add("ICMP", text));
    if (train.us) add("latency, µs (min, median, p99)", train.us.join(", "));
    return facts;
  }
  function lineOf(course, train) {
    const probes = train.t || [];
    if (!probes.length) return make("p", { class: "soft" }, train.n[0] ? "No times of single probes were recorded." : "Nothing was sent.");
    const eyes = train.n[2] !== null;
    const far = probes.flatMap(([, sent, , arrived, delivered]) => [arrived, delivered].filter((each) => each !== null).map((each) => sent + each));
    const base = far.length ? Math.min(...far) : 0;
    const body = make("tbody", {});
    probes.forEach(([round, sent, left, arrived, delivered, errno, icmp], index) => {
      const at = (value) => (value === null ? null : course.one_clock ? value : sent + value - base);
      const steps = [sent, left, ...(eyes ? [at(arrived), at(delivered)] : [])];
      const row = make("tr", {}, make("td", {}, String(index + 1)), make("td", {}, round < 0 ? "" : String(round + 1)));
      let gone = Boolean(errno);
      steps.forEach((value, step) => {
        if (step === 0 && errno) return row.append(make("td", { class: "unseen" }, errno));
        const later = steps.slice(step + 1).some((each) => each !== null);
        if (value === null) {
          row.append(make("td", { class: gone ? "unseen after" : "unseen" }, gone ? "" : "not seen"));
          if (!later) gone = true;
        } else row.append(make("td", { class: later ? "seen" : "seen last" }, make("span", {}, time(value))));
      });
      row.append(make("td", { class: icmp.length ? "icmp" : "icmp none" }, icmp.map(([after, type, code, from]) => `${type}/${code} from ${from} ${time(after)}`).join("; ")));
      body.append(row);
    });
    const heads = ["", "round", "sent", "left", ...(eyes ? ["arrived", "delivered"] : []), "ICMP"];
    const note = "Times: sent after the first probe; the others after this probe was sent" +
      (course.one_clock ? "." : ", but arrived and delivered by the far end's own clock, from its first sighting on: the two clocks can't be compared.") +
      (eyes ? "" : " Nobody watches at the far end.") + (train.more ? ` ${train.more} more probes are not shown.` : "");
    return make("div", { class: "scroll" }, make("table", { class: `line${eyes ? "" : " near"}` }, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))), body), make("p", { class: "soft" }, note));
  }
  function hopsOf(course, train) {
    const climb = train.c || {};
    const other = climb.by === undefined ? null : course.trains.find((each) => each.p === climb.by && each.c && each.c.rows);
    const own = climb.rows || (other && other.c.rows), rows = own || course.hops;
    if (!rows.length) return "";
    const body = make("tbody", {});
    for (const [ttl, said, mark, control, controlMark] of rows) {
      const cells = own ? [[said, mark], [control, controlMark]] : [[control, controlMark]];
      body.append(make("tr", {}, make("td", {}, `hop ${ttl}`), ...cells.map(([text, how]) => make("td", { class: `hop ${how}` }, make("span", {}, text)))));
    }
    const whose = other ? `${named(other)}, sent in its place` : named(train);
    const heads = ["", ...(own ? [whose] : []), "the control"];
    const note = own
      ? "Sent afterwards, with a TTL that ends at each hop in turn: the router there has to answer, if the packet gets that far. Silence means something only beside answers to the control."
      : `Routers that answered the control. ${climb.by === undefined ? "No packet of this number was sent with so short a TTL, or none is recorded" : `The packets of ${climb.by}, sent in this number's place, are not in this report`}.`;
    return make("div", { class: "scroll hops" }, make("h3", {}, own ? "Which hops answered" : "The control's hops on this path"), make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))), body), make("p", { class: "soft" }, note));
  }
  function follow() {
    const found = /^#t(\d+)-(-?\d+)$/.exec(location.hash);
    if (found) openEvidence(+found[1], +found[2]);
  }

  // --- latency

  function showLatency() {
    if (!data.latency.length) return;
    const box = $("latency");
    box.append(make("h2", {}, "Latency"));
    for (const each of data.latency) {
      if (each.sentence) box.append(make("p", { class: "sentence" }, each.sentence));
      if (!each.series.length) continue;
      const { low, high } = each;
      // Logarithmic, as the bins are: else one packet that came late would press all others into the first pixel.
      const x = (us) => (640 * Math.log(us / low)) / Math.log(high / low);
      const kinds = each.series.map((one) => one.label);
      const svg = draw("svg", { class: "histogram", viewBox: "0 0 640 150", role: "img", "aria-label": `${each.label}: ${kinds.join(" and ")}. ${each.sentence}` });
      const shares = each.series.map((one) => one.bins.reduce((sum, bin) => sum + bin[2], 0) || 1);
      const most = Math.max(...each.series.flatMap((one, index) => one.bins.map((bin) => bin[2] / shares[index])));
      each.series.forEach((one, index) => {
        for (const [from, to, count] of one.bins) {
          if (from < low || to > high) continue;
          const height = (120 * count) / shares[index] / most;
          svg.append(draw("rect", { class: `series${index % 2}`, x: x(from), y: 124 - height, width: Math.max(1, x(to) - x(from) - 0.5), height }));
        }
      });
      const ticks = [];
      for (let ten = 10 ** Math.floor(Math.log10(low)); ten < high; ten *= 10) for (const step of [1, 2, 5]) ticks.push(ten * step);
      for (const tick of ticks) {
        if (tick > low && x(tick) > 80 && x(tick) < 560) svg.append(draw("text", { x: x(tick), y: 142, "text-anchor": "middle" }, `${+tick.toPrecision(3)}`));
      }
      svg.append(draw("text", { x: 0, y: 142 }, `${+low.toPrecision(3)} µs`), draw("text", { x: 640, y: 142, "text-anchor": "end" }, `${+high.toPrecision(3)} µs`));
      const key = make("p", { class: "key" }, ...each.series.flatMap((one, index) => [make("span", { class: `swatch series${index % 2}` }), `${one.label} `]),
        each.beyond ? make("span", { class: "soft" }, `${each.beyond} beyond this axis`) : "");
      box.append(make("h3", {}, each.label), key, svg);
    }
    box.hidden = false;
  }

  // --- all trains as a table, made when it is opened

  function fillTable() {
    const body = make("tbody", {});
    data.courses.forEach((course, number) => {
      for (const train of course.trains.filter(matches).slice(0, 2000)) {
        body.append(make("tr", {}, make("td", {}, make("a", { href: `#t${number}-${train.p}` }, named(train))), make("td", {}, course.course), make("td", {}, noted(looks(train))),
          make("td", {}, train.n.map((each) => (each === null ? "–" : each)).join(" / ")), make("td", {}, data.texts[train.x])));
      }
    });
    const heads = ["number", "direction, form", "verdict", EYES.join(" / "), "in words"];
    $("all").lastChild.replaceChildren(make("table", { class: "plain" }, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))), body));
  }
  function showTable() {
    const details = make("details", { id: "all" }, make("summary", {}, "Every train in words"), make("div", { class: "scroll" }));
    details.addEventListener("toggle", () => details.open && fillTable());
    $("table").append(details);
    $("table").hidden = !data.courses.length;
  }
  function showMade() {
    const box = $("made");
    box.append(make("h2", {}, "How this was measured"));
    for (const each of data.made) {
      const list = make("dl", { class: "made" });
      for (const name of ["command", "system", "time", "seed", "version", "source"]) {
        if (each[name]) list.append(make("dt", {}, name), make("dd", {}, name === "command" ? make("code", {}, each[name]) : each[name]));
      }
      box.append(list);
    }
    if (data.courses.length > 1) box.append(letters());
    box.hidden = false;
  }

  // --- hover, keys, size

  function tip(event) {
    const link = event.target.closest && event.target.closest(".cell"), box = $("tip");
    if (!link) { box.hidden = true; return; }
    box.textContent = link.getAttribute("aria-label");
    box.hidden = false;
    const at = link.getBoundingClientRect(), width = box.offsetWidth;
    box.style.left = `${Math.max(4, Math.min(innerWidth - width - 4, at.left + at.width / 2 - width / 2))}px`;
    box.style.top = `${at.top > 36 ? at.top - box.offsetHeight - 6 : at.bottom + 6}px`;
  }
  showSurprises();
  showMatrix();
  showFilters();
  showCourses();
  showLatency();
  showTable();
  showMade();
  document.addEventListener("mouseover", tip);
  document.addEventListener("focusin", tip);
  document.addEventListener("scroll", () => { $("tip").hidden = true; }, { passive: true });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !$("evidence").hidden) closeEvidence(); });
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a.cell");
    if (link && link.getAttribute("href") === location.hash) { event.preventDefault(); follow(); }
  });
  window.addEventListener("hashchange", follow);
  let pending = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => routes.forEach(([svg, course]) => drawRoute(svg, course)));
  });
  follow();
  document.documentElement.dataset.ready = "yes";
})();
