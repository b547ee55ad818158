"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const box = document.getElementById("chart"), svg = box.querySelector("svg"), told = document.getElementById("told");
  const times = [...data.messages.flatMap(m => [m.sent_s, m.arrived_s ?? m.sent_s]), ...data.events.map(e => e.at_s),
                 ...data.calls.flatMap(c => [c.from_s, c.to_s])];
  const all = times.length ? [Math.min(...times), Math.max(...times) + 0.001] : [0, 1];
  const TOP = 34, LEFT = 70, MOST = 1500;
  let [from, to] = all;
  const escape = text => text.replace(/[&<>"]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})[c]);
  const seconds = s => `${s.toFixed(to - from < 0.05 ? 5 : to - from < 2 ? 4 : 3)} s`;

  function lanes(calls) {  // calls that overlap lie beside each other
    const ends = [];
    return calls.map(call => {
      let lane = ends.findIndex(end => end <= call.from_s);
      if (lane < 0) lane = ends.push(0) - 1;
      ends[lane] = call.to_s;
      return lane;
    });
  }

  function draw() {
    const width = box.clientWidth, height = svg.clientHeight;
    const y = s => TOP + (s - from) / (to - from) * (height - TOP - 10);
    const callsWidth = data.calls.length ? Math.min(150, width / 5) : 0, first = LEFT + Math.max(callsWidth, 40);
    const step = (width - first - Math.min(60, width / 10)) / Math.max(1, data.hosts.length - 1);
    const x = Object.fromEntries(data.hosts.map((host, place) => [host, first + place * step]));
    const out = [];
    const span = to - from, raw = span / 8, power = 10 ** Math.floor(Math.log10(raw));
    const tick = [1, 2, 5, 10].map(m => m * power).find(t => t >= raw);
    for (let s = Math.ceil(from / tick) * tick; s < to; s += tick)
      out.push(`<path class="tick" d="M${LEFT} ${y(s)}H${width}"/><text class="faint" x="6" y="${y(s) + 4}">${seconds(s)}</text>`);
    for (const host of data.hosts) {
      out.push(`<path class="life" d="M${x[host]} ${TOP}V${height}"/>`);
      let since = null;
      const downs = data.events.filter(e => e.host === host && (e.kind === "end" || e.kind === "start"));
      if (downs.length && downs[0].kind === "start") since = all[0];
      for (const event of [...downs, {kind: "start", at_s: all[1]}]) {
        if (event.kind === "end") since ??= event.at_s;
        else if (since !== null) {
          const a = Math.max(TOP, y(since)), b = Math.min(height, y(event.at_s));
          if (b > a) out.push(`<rect class="down" x="${x[host] - 7}" y="${a}" width="14" height="${b - a}"/>`);
          since = null;
        }
      }
    }
    const place = lanes(data.calls), wide = Math.min(12, callsWidth / (Math.max(0, ...place) + 1));
    data.calls.forEach((call, n) => {
      const a = Math.max(TOP, y(call.from_s)), b = Math.min(height, y(call.to_s));
      if (b >= a) out.push(`<rect class="call${call.marked ? " marked" : ""}" x="${LEFT + place[n] * wide}" y="${a}" width="${Math.max(1, wide - 2)}" height="${Math.max(2, b - a)}" data-told="${escape(call.text)} (${seconds(call.from_s)} to ${seconds(call.to_s)})"/>`);
    });
    const seen = data.messages.filter(m => (m.arrived_s ?? m.sent_s) >= from && m.sent_s <= to);
    const every = Math.ceil(seen.length / MOST);
    seen.forEach((m, n) => {
      if (n % every) return;
      const lost = m.arrived_s === null, x1 = x[m.source], y1 = y(m.sent_s);
      const x2 = lost ? (x1 + x[m.target]) / 2 : x[m.target], y2 = lost ? y1 + 10 : y(m.arrived_s);
      if (x1 === undefined || x2 === undefined) return;
      const path = `M${x1} ${y1}L${x2} ${y2}`, dir = Math.sign(x2 - x1);
      out.push(`<path class="message${lost ? " lost" : ""}" d="${path}"/>`);
      out.push(lost ? `<path class="cross" d="M${x2 - 4} ${y2 - 4}l8 8m0 -8l-8 8"/>`
                    : `<path class="head" d="M${x2} ${y2}l${-7 * dir} -3.5v7z"/>`);
      out.push(`<path class="hit" d="${path}" data-told="${escape(`${m.source} → ${m.target}  ${seconds(m.sent_s)}${lost ? "  lost" : ` … ${seconds(m.arrived_s)}`}\n${m.text}`)}"/>`);
    });
    for (const e of data.events) {
      if (e.at_s < from || e.at_s > to || x[e.host] === undefined) continue;
      const at = y(e.at_s), label = escape(`${e.host}  ${seconds(e.at_s)}  ${e.kind} ${e.detail}`);
      if (e.kind === "disk") {
        if (/^(sync|rename)/.test(e.detail)) out.push(`<path class="sync" d="M${x[e.host] - 6} ${at}h12" data-told="${label}"/>`);
      } else if (e.kind !== "log" || to - from < 0.3) {
        out.push(`<circle class="event" cx="${x[e.host]}" cy="${at}" r="4.5" data-told="${label}"/>`);
        if (e.kind !== "log") out.push(`<text ${x[e.host] > width - 140 ? `text-anchor="end" x="${x[e.host] - 9}"` : `x="${x[e.host] + 9}"`} y="${at + 4}">${escape(e.kind === "disturbance" ? e.detail.split(" ").slice(0, -2).join(" ") : e.kind)}</text>`);
      }
    }
    out.push(`<rect width="${width}" height="${TOP - 8}" fill="var(--card)"/>`);
    if (callsWidth) out.push(`<text class="faint" x="${LEFT}" y="18">calls</text>`);
    for (const host of data.hosts) out.push(`<text class="name" x="${x[host]}" y="18">${escape(host)}</text>`);
    if (every > 1) out.push(`<text class="faint" x="6" y="${height - 6}">every ${every}th message is drawn: zoom in</text>`);
    svg.innerHTML = out.join("");
  }

  function zoom(factor, at) {
    const span = Math.min(all[1] - all[0], Math.max(1e-4, (to - from) * factor)), share = (at - from) / (to - from);
    from = Math.max(all[0], at - share * span);
    to = Math.min(all[1], from + span);
    from = Math.max(all[0], to - span);
    draw();
  }
  const timeAt = event => from + (event.clientY - svg.getBoundingClientRect().top - TOP) / (svg.clientHeight - TOP - 10) * (to - from);
  box.addEventListener("wheel", event => { event.preventDefault(); zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event)); }, {passive: false});
  box.addEventListener("dblclick", () => { [from, to] = all; draw(); });
  box.addEventListener("pointerdown", event => {
    let last = event.clientY;
    const move = moved => {
      const by = -(moved.clientY - last) / (svg.clientHeight - TOP - 10) * (to - from), span = to - from;
      last = moved.clientY;
      from = Math.min(Math.max(all[0], from + by), all[1] - span);
      to = from + span;
      draw();
    };
    box.addEventListener("pointermove", move);
    addEventListener("pointerup", () => box.removeEventListener("pointermove", move), {once: true});
  });
  box.addEventListener("keydown", event => {
    const factor = {"+": 0.8, "-": 1.25}[event.key];
    if (factor) zoom(factor, (from + to) / 2);
  });
  svg.addEventListener("pointerover", event => { if (event.target.dataset?.told) told.textContent = event.target.dataset.told; });
  addEventListener("resize", draw);
  draw();
})();
