// The curves of an agent: one chart, chosen in a list; the choice is kept in the address.
(() => {
  "use strict";
  const place = document.getElementById("plot"), choice = document.getElementById("curve");
  if (!place || !choice) return;
  const COLOURS = ["--c0", "--c1", "--c2", "--c3"];
  const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3]];
  let curves = null, chart = null;

  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function draw() {
    const [bench, name] = choice.value.split(/\|(.*)/s);
    const found = (curves[bench] || {})[name];
    if (!found) return;
    if (chart) chart.destroy();
    const names = Object.keys(found);
    const longest = Math.max(...names.map((each) => found[each].length));
    const axis = { stroke: ink("--soft"), grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line") } };
    const series = names.map((label, at) => ({
      label, stroke: ink(COLOURS[at % 4]), width: 1.6, dash: DASHES[Math.floor(at / 4) % 4], points: { show: longest < 60, size: 4 },
      value: (_, v) => (v == null ? "–" : v.toFixed(3)),
    }));
    const data = [Array.from({ length: longest }, (_, at) => at + 1), ...names.map((each) => found[each])];
    chart = new uPlot({
      width: place.clientWidth, height: 260, scales: { x: { time: false } }, axes: [axis, { ...axis, size: 56 }],
      series: [{ label: "probe" }, ...series],
    }, data, place);
    place.setAttribute("aria-label", `${bench}, ${name}: ` + names.map((each) => `${each} ends at ${found[each].at(-1)}`).join("; "));
  }

  // What the address says; else where tasks follow each other, for there a stability gap is seen.
  function begin() {
    const all = [...choice.options], wanted = new URLSearchParams(location.hash.slice(1)).get("curve");
    const many = (each) => {
      const [bench, name] = each.value.split(/\|(.*)/s);
      return name.startsWith("accuracy on each task") && Object.keys(curves[bench][name]).length > 2;
    };
    const first = all.find((each) => each.value === wanted) || all.find(many);
    if (first) choice.value = first.value;
    draw();
  }
  choice.addEventListener("change", () => {
    history.replaceState(null, "", "#" + new URLSearchParams({ curve: choice.value }));
    draw();
  });
  addEventListener("resize", () => chart && chart.setSize({ width: place.clientWidth, height: 260 }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  fetch(place.dataset.from).then((answer) => answer.json()).then((found) => { curves = found.curves; begin(); });
})();
