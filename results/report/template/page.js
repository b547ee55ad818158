"use strict";
// Drawings are kept compressed and made when they come near the screen, so that a page of many runs opens at once.
(async () => {
  const tokens = JSON.parse(document.getElementById("tokens").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)").matches;

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  function coloured(item) {
    const style = getComputedStyle(document.documentElement);
    for (const [name, token] of Object.entries(tokens))
      item = item.replaceAll(token, style.getPropertyValue(`--${name}`).trim());
    return JSON.parse(item);
  }

  const ready = unpacked("bokeh").then((code) => {
    const script = document.createElement("script");
    script.textContent = code;
    document.head.append(script);
  });

  async function draw(plot) {
    const item = unpacked(`${plot.dataset.run}-data`);
    await ready;
    const colouredItem = coloured(await item);
    plot.replaceChildren();
    const views = await Bokeh.embed.embed_item(colouredItem, plot.id);
    for (const view of views)
      for (const model of view.model.document.all_models) if (model.name === "time") times.set(plot.dataset.run, model);
    if (coarse) // a finger scrolls the page; dragging would not let it
      for (const view of views)
        for (const model of view.model.document.all_models) if (model.type === "BoxZoomTool") model.active = false;
  }

  const plots = [...document.querySelectorAll(".plot")];
  const drawn = new Map();
  const times = new Map(); // by run, the range of time that its drawings share
  const once = (plot) => {
    if (!drawn.has(plot))
      drawn.set(plot, draw(plot).catch((error) => { plot.textContent = `The drawing failed: ${error.message}`; }));
    return drawn.get(plot);
  };
  const near = new IntersectionObserver(
    (entries) => entries.forEach((entry) => entry.isIntersecting && once(entry.target)), { rootMargin: "600px" });
  plots.forEach((plot) => near.observe(plot));
  dark.addEventListener("change", async () => {
    for (const plot of [...drawn.keys()]) { await drawn.get(plot); drawn.delete(plot); await once(plot); }
  });
  addEventListener("beforeprint", () => plots.forEach((plot) => plot.closest("details.fold:not([open])") || once(plot)));
  for (const button of document.querySelectorAll(".zoom"))
    button.addEventListener("click", async () => {
      const { run, from, to } = button.dataset;
      const plot = document.getElementById(`${run}-plot`);
      plot.scrollIntoView({ behavior: "smooth", block: "center" });
      await once(plot);
      const margin = Math.max((to - from) * 0.1, 0.002);
      times.get(run)?.setv({ start: from - margin, end: Number(to) + margin });
    });
})();

for (const button of document.querySelectorAll(".rerun button"))
  button.addEventListener("click", async () => {
    const code = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch { // pages from a file may not use the clipboard
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
  });

// A link to a folded run unfolds it.
function unfold() {
  const run = location.hash && document.getElementById(location.hash.slice(1));
  const fold = run && run.querySelector("details.fold");
  if (fold) { fold.open = true; run.scrollIntoView(); }
}
addEventListener("hashchange", unfold);
unfold();
