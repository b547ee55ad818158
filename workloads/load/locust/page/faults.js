// The Faults tab. Locust's own page draws the tab; this fills the space below it while that tab is chosen, and stands under
// locust's form while no test runs. All texts from the server go into the page as text, never as HTML.
"use strict";

const TOKEN = document.querySelector('meta[name="harness-token"]').content;
const REFRESH_MS = 500;

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function table(id, heads, rows, empty) {
  const body = rows.length ? rows : [element("tr", {}, element("td", { colspan: heads.length, class: "quiet" }, empty))];
  return element("table", { id },
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", {}, head)))),
    element("tbody", {}, ...body));
}

const clock = (ms) => (ms === null ? "" : new Date(ms).toLocaleTimeString([], { hour12: false }));
const cell = (text, kind) => element("td", { class: kind }, String(text));
const place = (id, content) => document.getElementById(id).replaceChildren(content);

function bytes(count) {
  for (const unit of ["B", "KiB", "MiB"]) {
    if (count < 1024) return `${count < 10 && unit !== "B" ? count.toFixed(1) : Math.round(count)} ${unit}`;
    count /= 1024;
  }
  return `${count.toFixed(1)} GiB`;
}

let faults = [];

const root = element("section", { id: "harness-faults", hidden: "" },
  element("div", { id: "harness-title", class: "quiet" }),
  element("h3", {}, "Inject a fault"),
  element("form", { id: "harness-inject", onsubmit: inject },
    element("label", {}, "Fault", element("select", { id: "harness-fault", onchange: showFields })),
    element("label", {}, "Target", element("select", { id: "harness-target" })),
    element("label", {}, "Seconds", element("input", { id: "harness-seconds", class: "number", value: "30", inputmode: "decimal" })),
    element("span", { id: "harness-fields", style: "display: contents" }),
    element("button", { class: "go", type: "submit" }, "Inject"),
    element("button", { type: "button", id: "harness-heal-all", onclick: () => act("heal", {}) }, "Heal all")),
  element("div", { id: "harness-about", class: "quiet" }),
  element("div", { id: "harness-says", class: "says", role: "status" }),
  element("h3", {}, "Windows"), element("div", { id: "harness-windows" }),
  element("h3", {}, "Service levels under this load"), element("div", { id: "harness-slos" }),
  element("div", { class: "two" },
    element("div", {}, element("h3", {}, "Nodes"), element("div", { id: "harness-nodes" })),
    element("div", {}, element("h3", {}, "Links"), element("div", { id: "harness-links" })),
    element("div", {}, element("h3", {}, "The drill's schedule"), element("div", { id: "harness-schedule" })),
    element("div", {}, element("h3", {}, "Events"), element("div", { id: "harness-events" }))));

async function act(action, body) {
  const says = document.getElementById("harness-says");
  try {
    const answer = await fetch(`faults/${action}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Harness-Token": TOKEN },
      body: JSON.stringify(body),
    });
    says.textContent = answer.ok ? "" : await answer.text();
    says.className = answer.ok ? "says" : "says bad";
  } catch (error) {
    say(`harness ui does not answer: ${error.message}`);
  }
  await refresh();
}

function value(text, kind) {
  if (kind === "bool") return text === "true";
  if (kind === "str") return text;
  const number = Number(text);
  return text.trim() !== "" && !Number.isNaN(number) ? number : text;
}

function say(text) {
  const says = document.getElementById("harness-says");
  says.textContent = text;
  says.className = "says bad";
}

function inject(event) {
  event.preventDefault();
  const fields = {};
  const seconds = document.getElementById("harness-seconds").value.trim();
  if (!(Number(seconds) > 0)) {
    say(`Seconds: ${JSON.stringify(seconds)} is not a number above 0.`);
    return;
  }
  for (const input of document.querySelectorAll("#harness-fields input")) {
    if (input.value !== input.defaultValue || input.dataset.required) fields[input.name] = value(input.value, input.dataset.kind);
  }
  act("inject", {
    fault: document.getElementById("harness-fault").value,
    target: document.getElementById("harness-target").value,
    seconds: Number(seconds),
    fields,
  });
}

function showFields() {
  const fault = faults.find((one) => one.name === document.getElementById("harness-fault").value);
  document.getElementById("harness-about").textContent = fault.title;
  document.getElementById("harness-fields").replaceChildren(...fault.fields.map((field) =>
    element("label", { title: field.kind }, field.name,
      element("input", {
        class: "number", name: field.name, "data-kind": field.kind, "data-required": field.default === null ? "yes" : null,
        value: field.default === null ? "" : String(field.default),
      }))));
}

function options(id, texts) {
  const select = document.getElementById(id);
  if (select.options.length === texts.length && texts.every((text, index) => select.options[index].value === text)) return false;
  const chosen = select.value;
  select.replaceChildren(...texts.map((text) => element("option", { value: text }, text)));
  if (texts.includes(chosen)) {
    select.value = chosen;
    return false;
  }
  return true;
}

const VERDICTS = new Map([[true, ["acted", "good"]], [false, ["did not act", "bad"]], [null, ["not known yet", "unsure"]]]);

function show(state) {
  faults = state.faults;
  document.getElementById("harness-title").textContent = state.title;
  options("harness-target", state.selectors);
  if (options("harness-fault", faults.map((fault) => fault.name))) {
    document.getElementById("harness-fault").value = faults.some((fault) => fault.name === "Pause") ? "Pause" : faults[0].name;
    showFields();
  }
  place("harness-windows", table("harness-window-rows", ["", "Fault", "Hits", "Began", "Ended", "State", "Seconds", "Verdict", "Seen", ""],
    state.windows.map((one) => {
      const [verdict, kind] = VERDICTS.get(one.acted);
      const heal = one.state === "over" || one.state === "heals" ? null
        : element("button", { onclick: () => act("heal", { label: one.label }) }, "Heal");
      return element("tr", { "data-label": one.label, "data-state": one.state },
        cell(one.label), cell(one.text), cell(one.targets, one.state === "holds" ? "hit" : null),
        cell(clock(one.from_ms), "number"), cell(clock(one.to_ms), "number"), cell(one.state),
        cell(one.seconds.toFixed(1), "number"), cell(verdict, kind), cell(one.evidence), element("td", {}, ...(heal ? [heal] : [])));
    }), "no fault so far"));
  place("harness-nodes", table("harness-node-rows", ["Node", "Process", "State", "Faults"], state.nodes.map((one) =>
    element("tr", { "data-node": one.name }, cell(one.name), cell(one.pid ?? "–", "number"),
      cell(one.process, one.process === "stopped" || one.process === "gone" ? "hit" : null), cell(one.faults.join(" "), "hit"))), ""));
  place("harness-links", table("harness-link-rows", ["Link", "Connections", "Sent on", "Faults"], state.links.map((one) =>
    element("tr", { "data-link": one.name }, cell(one.name), cell(one.connections, "number"), cell(bytes(one.bytes), "number"),
      cell(one.faults.join(" "), "hit"))), "none"));
  const schedule = state.schedule.map((line) => element("div", {}, line));
  place("harness-schedule", state.schedule.length
    ? element("div", {}, ...schedule, element("button", { onclick: () => act("schedule", {}) }, "Run it now"))
    : element("div", { class: "quiet" }, "no faults of its own"));
  place("harness-events", table("harness-event-rows", ["Ago", "Node", "What"], state.events.slice(0, 12).map((one) =>
    element("tr", {}, cell(`${one.ago_s.toFixed(0)} s`, "number"), cell(one.node), cell(`${one.kind}: ${one.detail}`))), "none"));
}

function showSlos(slos) {
  place("harness-slos", table("harness-slo-rows", ["Wanted", "So far"], slos.map((one) => {
    const [text, kind] = one.ok === null ? ["not known yet", "unsure"] : one.ok ? ["held", "good"] : ["missed", "bad"];
    return element("tr", {}, cell(one.slo), cell(text, kind));
  }), "known while the engine makes load here"));
}

function adapt() { // to locust's own choice between light and dark, which the page's background shows
  const [red, green, blue, alpha = 1] = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number);
  root.classList.toggle("dark", alpha > 0 && red + green + blue < 384);
}

async function refresh() {
  adapt();
  if (root.hidden) {
    await refreshMarks();
    return;
  }
  try {
    const [state, slos] = await Promise.all(["state", "slos"].map((name) => fetch(`faults/${name}`)));
    if (state.ok) show(await state.json());
    else throw new Error(await state.text());
    if (slos.ok) showSlos(await slos.json());
  } catch (error) {
    say(`harness ui does not answer: ${error.message}`);
  }
}

async function refreshMarks() {
  if (!document.querySelector("[_echarts_instance_]")) return;
  try {
    const marks = await fetch("faults/marks");
    if (marks.ok) markFaults(await marks.json());
  } catch (error) {
    // the tab itself says so as soon as it is looked at
  }
}

function appear() {
  const tabs = [...document.querySelectorAll('#root [role="tab"]')];
  const chosen = tabs.find((tab) => tab.getAttribute("aria-selected") === "true");
  const hidden = tabs.length > 0 && !(chosen && chosen.textContent.trim().toLowerCase() === "faults");
  if (hidden !== root.hidden) {
    root.hidden = hidden;
    refresh();
  }
}

document.body.append(root);
new MutationObserver(appear).observe(document.getElementById("root"), { subtree: true, childList: true, attributes: true });
appear();
setInterval(refresh, REFRESH_MS);
