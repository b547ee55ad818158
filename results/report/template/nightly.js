"use strict";
// Draws the matrix of verdicts and the trends of the nights' page. Everything is in one compressed block of integers
// (results/report/nightly_data.py); a trend is drawn when it comes near the screen.
(async () => {
  const SVG = "http://www.w3.org/2000/svg";
  const RECENT = 400; // nights that a page of the matrix has at most
  const CLOSE = 90; // nights of a drawing of what has just moved

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  }

  const data = await unpacked("nights");
  const last = data.nights.length - 1;

  function make(parent, name, attributes = {}, text = "") {
    const made = name.startsWith("svg:") ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    parent.append(made);
    return made;
  }

  // One box says what is pointed at or focused.
  const tip = make(document.body, "div", { class: "tip", role: "status", hidden: "" });
  function say(text, at) {
    tip.textContent = text;
    tip.hidden = false;
    const box = at.getBoundingClientRect();
    const left = Math.min(Math.max(box.left + box.width / 2 - tip.offsetWidth / 2, 8), innerWidth - tip.offsetWidth - 8);
    const above = box.top - tip.offsetHeight - 8;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${(above > 0 ? above : box.bottom + 8) + scrollY}px`;
  }
  const hush = () => { tip.hidden = true; };
  addEventListener("keydown", (event) => { if (event.key === "Escape") hush(); });

  function night(number) {
    const commit = data.commits[data.commit[number]].replace(/^([^+]{10})[^+]*/, "$1"); // "+": with changes not committed
    return data.nights[number] + (commit ? ` · commit ${commit}` : "");
  }

  // --- Trends ---------------------------------------------------------------------------------------------------------

  const sums = (differences) => { let sum = 0; return differences.map((step) => (sum += step)); };

  function points(chart) {
    chart.points ??= chart.parts.flatMap((part, number) => {
      const [at, mid] = [sums(part.at), sums(part.mid)];
      return at.map((night, i) => ({
        night, number, mid: mid[i], low: mid[i] - (part.below[i] ?? 0), high: mid[i] + (part.above[i] ?? 0),
      }));
    });
    return chart.points;
  }

  // Never 100 if anything is missing.
  function percent(value) {
    const whole = Number(value.toPrecision(12)) === 1;
    for (let digits = 6; digits < 13; digits++) {
      const shown = Number((value * 100).toPrecision(digits));
      if ((shown === 100) === whole) return shown;
    }
    return value * 100;
  }

  function amount(value, unit) {
    const size = Math.abs(value);
    const short = (number) => Number(number.toPrecision(number !== 0 && Math.abs(number) >= 1000 ? 4 : 3)).toLocaleString("en");
    if (unit === "") return `${percent(value)} %`;
    if (unit === "1/s") return `${short(value)}/s`;
    return `${size >= 1e6 ? value.toExponential(2) : short(value)} ${unit}`;
  }

  // The least and the greatest value to draw: all medians and levels; single runs if they do not squeeze the rest.
  function range(chart, all) {
    const levels = chart.levels.filter(([, end]) => end >= all[0].night);
    const mids = [...all.map((point) => point.mid), ...levels.flatMap((level) => level.slice(2))];
    let [low, high] = [Math.min(...mids), Math.max(...mids)];
    const room = Math.max(high - low, 1);
    low = Math.max(Math.min(low, ...all.map((point) => point.low)), low - room);
    high = Math.min(Math.max(high, ...all.map((point) => point.high)), high + room);
    for (const [threshold] of chart.slos)
      if (threshold > low - 2 * (high - low) && threshold < high + 2 * (high - low))
        [low, high] = [Math.min(low, threshold), Math.max(high, threshold)];
    const margin = Math.max((high - low) * 0.08, Math.abs(high) * 0.005, 0.5);
    return [low - margin, chart.unit === "" ? Math.min(high + margin, Math.max(high, 1 / chart.quantum) + margin / 4) : high + margin];
  }

  // At most so many round numbers in a range, and at least one.
  function ticks(low, high, most) {
    for (let step = 10 ** Math.floor(Math.log10((high - low) / most)); ; step *= 10)
      for (const size of [step, 2 * step, 5 * step]) {
        const first = Math.ceil(low / size);
        const count = Math.floor(high / size) - first + 1;
        if (count <= most) return Array.from({ length: count }, (_, i) => (first + i) * size);
      }
  }

  function draw(holder) {
    const chart = data.rows[holder.dataset.row].charts.find((one) => one.metric === holder.dataset.metric);
    const [width, height, left, right] = [holder.clientWidth, holder.clientHeight, 64, 10];
    const [top, bottom] = holder.classList.contains("tall") ? [8, 18] : [5, 5];
    const from = holder.classList.contains("tall") ? last - CLOSE + 1 : 0;
    const all = points(chart).filter((point) => point.night >= from);
    const first = all.reduce((least, point) => Math.min(least, point.night), last);
    const [low, high] = range(chart, all);
    const x = (number) => left + ((number - first) / Math.max(last - first, 1)) * (width - left - right);
    const y = (value) => top + ((high - value) / (high - low)) * (height - top - bottom);
    holder.replaceChildren();
    const svg = make(holder, "svg:svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
    const line = (name, x1, y1, x2, y2) => make(svg, "svg:path", { class: name, d: `M${x1.toFixed(1)} ${y1.toFixed(1)}L${x2.toFixed(1)} ${y2.toFixed(1)}` });
    const label = (name, atX, atY, text) => make(svg, "svg:text", { class: name, x: atX.toFixed(1), y: atY.toFixed(1) }, text);
    for (const tick of ticks(low, high, bottom > 10 ? 4 : 2)) {
      line("grid", left, y(tick), width - right, y(tick));
      label("tick", left - 8, y(tick) + 4, amount(tick * chart.quantum, chart.unit));
    }
    if (bottom > 10) {
      label("date", left, height - 4, data.nights[first]);
      label("date end", width - right, height - 4, data.nights[last]);
    }
    for (const number of Object.keys(data.changed)) if (number >= first) line("ground", x(number - 0.5), top, x(number - 0.5), height - bottom);
    for (const [threshold, text] of chart.slos)
      if (threshold >= low && threshold <= high) {
        line("slo", left, y(threshold), width - right, y(threshold));
        label("slo", left + 4, y(threshold) < top + 14 ? y(threshold) + 12 : y(threshold) - 4, text);
      }
    chart.parts.forEach((part, number) => {
      const own = all.filter((point) => point.number === number);
      if (!own.length) return;
      const path = (value) => own.map((point) => `${x(point.night).toFixed(1)} ${y(Math.min(Math.max(value(point), low), high)).toFixed(1)}`);
      const name = number === chart.parts.length - 1 ? "now" : "before";
      if (part.below.length)
        make(svg, "svg:path", { class: `band ${name}`, d: `M${[...path((p) => p.high), ...path((p) => p.low).reverse()].join("L")}Z` });
      make(svg, "svg:path", { class: `median ${name}`, d: `M${path((point) => point.mid).join("L")}` });
      if (own.length <= 45) for (const point of own) make(svg, "svg:circle", { class: `point ${name}`, cx: x(point.night), cy: y(point.mid), r: 2.2 });
    });
    for (const [begin, end, before, after] of chart.levels)
      if (end >= first) line("level", Math.max(x(begin - 0.4), left), y(before), Math.min(x(end + 0.4), width - right), y(after));
    for (const move of chart.moves) if (move >= first) line("move", x(move - 0.5), top, x(move - 0.5), height - bottom);
    holder.cursor = make(svg, "svg:circle", { class: "cursor", r: 4, hidden: "" });
    holder.at = (number) => {
      const point = all[number];
      holder.number = number;
      holder.cursor.setAttribute("cx", x(point.night));
      holder.cursor.setAttribute("cy", y(Math.min(Math.max(point.mid, low), high)));
      holder.cursor.removeAttribute("hidden");
      const value = (each) => amount(each * chart.quantum, chart.unit);
      const spread = point.low === point.high ? "" : `, from ${value(point.low)} to ${value(point.high)}`;
      const moved = chart.moves.includes(point.night) ? "\nmoved in this night" : "";
      const changed = data.changed[point.night] ? `\nnew: ${data.changed[point.night]}` : "";
      say(`${night(point.night)}\n${chart.metric} ${value(point.mid)}${spread}${moved}${changed}`, holder.cursor);
    };
    holder.nearest = (clientX) => {
      const wanted = clientX - holder.getBoundingClientRect().left;
      return all.reduce((best, point, number) => (Math.abs(x(point.night) - wanted) < Math.abs(x(all[best].night) - wanted) ? number : best), 0);
    };
    holder.count = all.length;
  }

  function listen(holder) {
    const leave = () => { hush(); holder.cursor?.setAttribute("hidden", ""); };
    holder.addEventListener("pointermove", (event) => holder.at?.(holder.nearest(event.clientX)));
    holder.addEventListener("pointerleave", leave);
    holder.addEventListener("blur", leave);
    holder.addEventListener("focus", () => holder.at?.(holder.number ?? holder.count - 1));
    holder.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: holder.number - 1, ArrowRight: holder.number + 1, Home: 0, End: holder.count - 1 }[event.key];
      if (to === undefined || !holder.at) return;
      event.preventDefault();
      holder.at(Math.min(Math.max(to, 0), holder.count - 1));
    });
  }

  const drawn = new Set();
  const near = new IntersectionObserver((entries) => entries.forEach((entry) => {
    if (!entry.isIntersecting || drawn.has(entry.target)) return;
    drawn.add(entry.target);
    listen(entry.target);
    draw(entry.target);
  }), { rootMargin: "400px" });
  const trends = [...document.querySelectorAll(".trend")];
  trends.forEach((holder) => near.observe(holder));
  addEventListener("beforeprint", () => trends.forEach((holder) => holder.clientWidth && draw(holder)));

  // --- Matrix ---------------------------------------------------------------------------------------------------------

  const KINDS = {
    p: ["good", "✔", "passed"], s: ["missed", "!", "missed an SLO"], f: ["bad", "✘", "failed"],
    u: ["gap", "?", "unknown"], m: ["mixed", "±", "passed and failed"], " ": ["none", "", "did not run"],
  };
  const grid = document.getElementById("grid");
  const older = document.getElementById("older");
  const newer = document.getElementById("newer");
  const span = document.getElementById("span");
  let end = last + 1; // the night after the last one that is shown
  let shown = 0;

  function told(row, number) {
    const kind = row.cells[number];
    let text = `${row.drill}, ${night(number)}: ${KINDS[kind][2]}`;
    if (row.why[number] !== undefined) text += `\n${data.causes[row.why[number]]}`;
    if (kind === " " && data.broke_off[number] !== undefined) text += `: the night broke off. ${data.broke_off[number]}`;
    const moved = row.charts.filter((chart) => chart.moves.includes(number)).map((chart) => chart.metric);
    return text + (moved.length ? `\nmoved: ${moved.join(", ")}` : "") + (data.changed[number] ? `\nnew: ${data.changed[number]}` : "");
  }

  function fill() {
    const narrow = innerWidth <= 640;
    const room = grid.clientWidth - (narrow ? 0 : 220);
    shown = Math.max(Math.min(Math.floor(room / 20), last + 1, RECENT), 1);
    end = Math.min(Math.max(end, shown), last + 1);
    const begin = end - shown;
    grid.replaceChildren();
    data.rows.forEach((row, y) => {
      const line = make(grid, "div", { class: "line", role: "row" });
      make(make(line, "div", { class: "who", role: "rowheader" }), "a", { href: `#drill-${y}`, class: "code" }, row.drill);
      const cells = make(line, "div", { class: "cells", role: "presentation" });
      for (let number = begin; number < end; number++) {
        const [kind, symbol] = KINDS[row.cells[number]];
        const moved = row.charts.some((chart) => chart.moves.includes(number)) ? " moved" : "";
        const ground = data.changed[number] ? " ground" : "";
        const link = row.links[number];
        const cell = make(cells, link ? "a" : "span", { class: `cell ${kind}${moved}${ground}`, role: "gridcell", tabindex: -1 }, symbol);
        if (link) cell.href = link;
        cell.dataset.y = y;
        cell.dataset.night = number;
        cell.setAttribute("aria-label", told(row, number));
      }
    });
    span.textContent = `${data.nights[begin]} to ${data.nights[end - 1]}`;
    older.disabled = begin === 0;
    newer.disabled = end === last + 1;
    grid.querySelector(".line:first-child .cell:last-child")?.setAttribute("tabindex", 0);
  }

  const cellOf = (event) => event.target.closest?.(".cell");
  const tell = (cell) => say(cell.getAttribute("aria-label"), cell);
  grid.addEventListener("pointerover", (event) => { const cell = cellOf(event); if (cell) tell(cell); });
  grid.addEventListener("pointerleave", hush);
  grid.addEventListener("focusin", (event) => {
    const cell = cellOf(event);
    if (!cell) return hush();
    grid.querySelectorAll('.cell[tabindex="0"]').forEach((one) => one.setAttribute("tabindex", -1));
    cell.setAttribute("tabindex", 0);
    tell(cell);
  });
  grid.addEventListener("focusout", hush);
  grid.addEventListener("keydown", (event) => {
    const cell = cellOf(event);
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!cell || !step) return;
    event.preventDefault();
    const [to, y] = [Number(cell.dataset.night) + step[0], Number(cell.dataset.y) + step[1]];
    if (to < 0 || to > last || !data.rows[y]) return;
    if (to < end - shown || to >= end) turn(step[0] * shown);
    grid.querySelector(`.cell[data-y="${y}"][data-night="${to}"]`).focus();
  });

  function turn(nights) {
    end = Math.min(Math.max(end + nights, shown), last + 1);
    fill();
  }
  older.addEventListener("click", () => turn(-shown));
  newer.addEventListener("click", () => turn(shown));
  fill();

  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    fill();
    drawn.forEach((holder) => holder.clientWidth && draw(holder));
  });

  // A link to a folded drill unfolds it.
  function unfold() {
    const fold = location.hash && document.getElementById(location.hash.slice(1));
    if (fold?.tagName === "DETAILS") { fold.open = true; fold.scrollIntoView(); }
  }
  addEventListener("hashchange", unfold);
  unfold();
})();
