// Marks the fault windows on locust's charts, as shaded stretches of time. Locust keeps its charts to itself, so they are found
// where React keeps the state of the component that draws them; a locust that has none there shows its charts unmarked.
"use strict";

const MARK_COLOUR = "#b3261e";
const MARK_AXIS = "harness-faults";
const LABEL_ROWS = 4;

function chartOf(place) {
  const key = Object.keys(place).find((name) => name.startsWith("__reactFiber$"));
  for (let fiber = key && place[key]; fiber; fiber = fiber.return)
    for (const version of [fiber, fiber.alternate]) // React keeps two, and which is the newer one does not show
      for (let hook = version && version.memoizedState; hook && typeof hook === "object"; hook = hook.next)
        if (hook.memoizedState && typeof hook.memoizedState.setOption === "function") return hook.memoizedState;
  return null;
}

// An area from the bottom to the top of an axis of its own. The bundle has no component for marks.
function band(one, number) {
  const label = { show: true, formatter: one.text, position: "right", color: MARK_COLOUR, fontSize: 10 };
  return {
    id: `harness-fault-${number}`,
    type: "line",
    yAxisId: MARK_AXIS,
    data: [{ value: [one.from_ms, 1], label: { ...label, offset: [0, 6 + 12 * (number % LABEL_ROWS)] } }, [one.to_ms ?? Date.now(), 1]],
    symbolSize: 1,
    lineStyle: { width: 0 },
    itemStyle: { color: MARK_COLOUR },
    areaStyle: { color: MARK_COLOUR, opacity: 0.12 },
    silent: true,
    animation: false,
    tooltip: { show: false },
    z: 1,
  };
}

// `windows` are [{from_ms, to_ms or null, text}], times since 1970.
function markFaults(windows) {
  for (const place of document.querySelectorAll("[_echarts_instance_]")) {
    const chart = chartOf(place);
    if (chart === null) continue;
    const series = windows.map(band);
    const marked = JSON.stringify(series);
    if (series.length === 0 || place.dataset.marks === marked) continue;
    place.dataset.marks = marked;
    chart.setOption({ yAxis: [{}, { id: MARK_AXIS, type: "value", min: 0, max: 1, show: false }], series });
  }
}
