// The tree on a canvas: laid out by d3-hierarchy, moved by d3-zoom, read along with the keyboard.
// What is chosen (agent, rejected ones, the moment, the search) is kept in the address.
(() => {
  "use strict";
  const home = document.getElementById("tree");
  if (!home) return;
  const $ = (id) => document.getElementById(id);
  const canvas = $("canvas"), pen = canvas.getContext("2d"), base = `/${home.dataset.archive}`;
  const GAP = 26, LEVEL = 64, STONE = 2, REJECTED = 3;
  const RAMP = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#f3db4b", "#fee838"];
  const nodes = new Map(), closed = new Set();
  let line = new Set(), champion = null, laid = [], byNumber = new Map(), chosen = null, found = new Set();
  let low = 0, high = 1, moment = Infinity, view = d3.zoomIdentity, asked = false, playing = 0, colours = {};

  const address = new URLSearchParams(location.search);
  function keep() {
    const now = new URLSearchParams();
    if (chosen) now.set("agent", chosen.data.id);
    if ($("ghosts").checked) now.set("ghosts", "1");
    if (moment !== Infinity) now.set("at", moment);
    if ($("search").value) now.set("find", $("search").value);
    history.replaceState(null, "", now.size ? `?${now}` : location.pathname);
  }

  function take(answer) {
    for (const row of answer.nodes) {
      const node = Object.fromEntries(answer.columns.map((name, at) => [name, row[at]]));
      nodes.set(node.number, node);
    }
    if (answer.champion !== null) champion = answer.champion;
    for (const number of answer.line) line.add(number);
  }

  async function load(path) {
    const answer = await fetch(`${base}/${path}`);
    if (!answer.ok) { $("about").textContent = (await answer.json()).error || "that did not come"; return false; }
    take(await answer.json());
    return true;
  }

  // Where everything is. Nothing here depends on the moment, so that a replay moves nothing.
  function arrange() {
    const children = new Map([[0, []]]);
    const shown = [...nodes.values()].filter((node) => $("ghosts").checked || node.kind !== REJECTED).sort((a, b) => a.number - b.number);
    for (const node of shown) {
      const parent = node.parent && nodes.has(node.parent) ? node.parent : 0;
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(node);
    }
    const root = d3.hierarchy({ number: 0 }, (node) => (closed.has(node.number) ? null : children.get(node.number)));
    d3.tree().nodeSize([GAP, LEVEL]).separation((a, b) => (a.parent === b.parent ? 1 : 1.25))(root);
    laid = root.descendants().slice(1);
    // A wide tree is stretched to the canvas's shape, so that its levels can be told apart.
    const span = Math.max(1, ...laid.map((each) => each.x)) - Math.min(0, ...laid.map((each) => each.x));
    const deep = LEVEL * Math.max(1, root.height - 1);
    const stretch = Math.max(1, (0.85 * span * canvas.clientHeight) / (canvas.clientWidth * deep));
    for (const each of laid) each.y *= stretch;
    byNumber = new Map(laid.map((each) => [each.data.number, each]));
    for (const each of laid) each.below = (children.get(each.data.number) || []).length;
    const scores = laid.map((each) => each.data.score).filter((score) => score !== null);
    low = scores.length ? Math.min(...scores) : 0;
    high = scores.length ? Math.max(...scores) : 1;
    $("low").textContent = low.toFixed(2);
    $("high").textContent = high.toFixed(2);
    const last = Math.max(1, ...laid.map((each) => each.data.number));
    $("time").max = last;
    if (moment === Infinity) $("time").value = last;
    chosen = chosen && byNumber.get(chosen.data.number) || null;
    search();
  }

  const colour = (score) => (score === null ? "#9a9a9a" : RAMP[Math.round(10 * (score - low) / (high - low || 1))] || RAMP[0]);

  function palette() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["ink", "soft", "line", "accent", "paper", "bad"]) colours[name] = style.getPropertyValue(`--${name}`).trim();
    draw();
  }

  function draw() { if (!asked) { asked = true; requestAnimationFrame(paint); } }

  function paint() {
    asked = false;
    const ratio = devicePixelRatio || 1, wide = canvas.clientWidth, tall = canvas.clientHeight;
    if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(tall * ratio)) {
      canvas.width = Math.round(wide * ratio);
      canvas.height = Math.round(tall * ratio);
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, wide, tall);
    pen.translate(view.x, view.y);
    pen.scale(view.k, view.k);
    const [left, top] = view.invert([-40, -40]), [right, bottom] = view.invert([wide + 40, tall + 40]);
    edges(left, right, top, bottom);
    for (const each of laid) {
      if (each.data.number <= moment && each.x >= left && each.x <= right && each.y >= top && each.y <= bottom) dot(each);
    }
  }

  function edges(left, right, top, bottom) {
    const curve = (each) => {
      const half = (each.parent.y + each.y) / 2;
      pen.moveTo(each.parent.x, each.parent.y);
      pen.bezierCurveTo(each.parent.x, half, each.x, half, each.x, each.y);
    };
    const all = laid.filter((each) => each.parent.data.number && each.data.number <= moment &&
      each.y >= top && each.parent.y <= bottom && Math.max(each.x, each.parent.x) >= left && Math.min(each.x, each.parent.x) <= right);
    pen.beginPath();
    for (const each of all) if (!line.has(each.data.number)) curve(each);
    pen.strokeStyle = colours.line;
    pen.lineWidth = Math.max(1.2, 0.7 / view.k);
    pen.stroke();
    pen.beginPath();
    for (const each of all) if (line.has(each.data.number)) curve(each);
    pen.strokeStyle = colours.accent;
    pen.lineWidth = Math.max(4, 3 / view.k);
    pen.stroke();
  }

  function dot(each) {
    const { data, x, y } = each, reach = data.upper === null || data.lower === null ? 0 : data.upper - data.lower;
    const size = Math.max(data.number === champion ? 9 : 6.5, each === chosen || data.number === champion ? 5 / view.k : 0);
    const plain = each !== chosen && data.number !== champion && !data.used && !found.has(data.number);
    if (view.k < 0.35 && plain) {
      // From afar thousands are seen at once: two squares each, no curves.
      const half = Math.max(size, 1.8 / view.k), rim = half / 9;
      pen.fillStyle = colours.soft;
      pen.fillRect(x - half, y - half, 2 * half, 2 * half);
      pen.fillStyle = colour(data.score);
      pen.fillRect(x - half + rim, y - half + rim, 2 * (half - rim), 2 * (half - rim));
      return;
    }
    if (view.k > 0.35 && reach && data.kind !== REJECTED) {
      pen.beginPath();
      pen.arc(x, y, size + 2.2, 0, 7);
      pen.strokeStyle = colours.soft;
      pen.globalAlpha = 0.55;
      pen.lineWidth = Math.min(4, 0.6 + 7 * reach);
      pen.stroke();
      pen.globalAlpha = 1;
    }
    pen.beginPath();
    if (data.kind === STONE) pen.rect(x - size + 1, y - size + 1, 2 * size - 2, 2 * size - 2);
    else pen.arc(x, y, size, 0, 7);
    pen.globalAlpha = data.kind === REJECTED ? 0.35 : 1;
    pen.fillStyle = colour(data.score);
    pen.fill();
    pen.globalAlpha = 1;
    const marked = data.used || data.number === champion;
    pen.strokeStyle = each === chosen || found.has(data.number) ? colours.bad : marked ? colours.ink : colours.soft;
    pen.lineWidth = each === chosen ? 3.5 : found.has(data.number) ? 3 : marked ? 2.2 : 1;
    pen.setLineDash(data.kind === REJECTED ? [2, 2] : []);
    pen.stroke();
    pen.setLineDash([]);
    if (view.k < 0.75) return;
    pen.fillStyle = each === chosen ? colours.ink : colours.soft;
    pen.font = `${each === chosen || data.number === champion ? "600 " : ""}9px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.strokeStyle = colours.paper;
    pen.lineWidth = 3;
    const label = hidden(each) ? `${data.number} +` : `${data.number}`;
    pen.strokeText(label, x, y + size + 13);
    pen.fillText(label, x, y + size + 13);
  }

  const hidden = (each) => closed.has(each.data.number) || each.data.children > each.below;

  function tell(each) {
    const { data } = each;
    const about = $("about"), link = document.createElement("a");
    link.href = `${base}/agent/${data.id}`;
    link.textContent = `#${data.number} ${data.title}`;
    const score = data.score === null ? "no score" : `${data.score.toFixed(3)} [${data.lower === null ? "–" : data.lower.toFixed(3)}, ${data.upper === null ? "–" : data.upper.toFixed(3)}]`;
    const kind = ["seed", "improvement", data.used ? "used stepping stone" : "stepping stone", "rejected"][data.kind];
    const more = `${data.number === champion ? " · champion" : ""}${hidden(each) ? " · O opens what is below" : ""}`;
    about.replaceChildren(link, document.createElement("br"), `${score} · ${kind} · ${data.children} children${more}`);
  }

  function choose(each, follow) {
    if (!each) return;
    chosen = each;
    tell(each);
    if (follow) reveal(each);
    keep();
    draw();
  }

  const zoom = d3.zoom().scaleExtent([0.02, 6]).on("zoom", (event) => { view = event.transform; draw(); });
  const stage = d3.select(canvas).call(zoom).on("dblclick.zoom", null);

  function reveal(each) {
    const [x, y] = view.apply([each.x, each.y]), wide = canvas.clientWidth, tall = canvas.clientHeight;
    if (x < 40 || y < 40 || x > wide - 40 || y > tall - 40) stage.call(zoom.translateTo, each.x, each.y);
  }

  function fit() {
    if (!laid.length) return;
    const xs = laid.map((each) => each.x), ys = laid.map((each) => each.y);
    const left = Math.min(...xs), right = Math.max(...xs), top = Math.min(...ys), bottom = Math.max(...ys);
    const wide = canvas.clientWidth, tall = canvas.clientHeight;
    const scale = Math.min(2.2, (wide - 50) / (right - left + 1), (tall - 70) / (bottom - top + 1));
    stage.call(zoom.transform, d3.zoomIdentity.translate(wide / 2, tall / 2 - 8).scale(scale).translate(-(left + right) / 2, -(top + bottom) / 2));
  }

  async function toggle(each) {
    const { data } = each;
    if (closed.has(data.number)) closed.delete(data.number);
    else if (data.children > each.below && !closed.has(data.number)) await load(`branch.json?of=${data.number}&ghosts=${$("ghosts").checked ? 1 : 0}`);
    else if (each.below) closed.add(data.number);
    arrange();
    const again = byNumber.get(data.number);
    if (again) choose(again, true);
    draw();
  }

  function search() {
    const text = $("search").value.trim().toLowerCase();
    found = new Set();
    if (!text) return draw();
    const number = /^#?\d+$/.test(text) ? Number(text.replace("#", "")) : null;
    for (const each of laid) {
      const { data } = each;
      if (number === data.number || data.id.startsWith(text) || (number === null && data.title.toLowerCase().includes(text))) found.add(data.number);
    }
    draw();
  }

  async function searchEnter() {
    const text = $("search").value.trim();
    if (!text) return;
    if (!found.size) {
      const reference = /^\d+$/.test(text) ? `#${text}` : text;
      if (!await load(`branch.json?to=${encodeURIComponent(reference)}`)) return;
      arrange();
    }
    const first = [...found].sort((a, b) => a - b).find((number) => !chosen || number > chosen.data.number) ?? [...found][0];
    choose(byNumber.get(first), true);
  }

  const nearest = (event) => {
    const [x, y] = view.invert(d3.pointer(event, canvas));
    let best = null, distance = Math.max(12, 9 / view.k) ** 2;
    for (const each of laid) {
      const far = (each.x - x) ** 2 + (each.y - y) ** 2;
      if (far < distance && each.data.number <= moment) { best = each; distance = far; }
    }
    return best;
  };
  canvas.addEventListener("click", (event) => choose(nearest(event), false));
  canvas.addEventListener("dblclick", (event) => { const each = nearest(event); if (each) location.href = `${base}/agent/${each.data.id}`; });

  function step(each, by) {
    const peers = each.parent.children.filter((peer) => peer.data.number <= moment);
    return peers[peers.indexOf(each) + by];
  }
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = chosen || byNumber.get(champion) || laid[0];
    if (!at) return;
    const visible = (each) => each && each.data.number <= moment ? each : null;
    const moves = {
      ArrowUp: () => choose(at.parent.data.number ? at.parent : null, true),
      ArrowDown: () => choose(visible(at.children && at.children[0]), true),
      ArrowLeft: () => choose(step(at, -1), true),
      ArrowRight: () => choose(step(at, 1), true),
      Home: () => choose(byNumber.get(champion), true),
      Enter: () => { location.href = `${base}/agent/${at.data.id}`; },
      o: () => toggle(at),
      f: fit,
      "+": () => stage.call(zoom.scaleBy, 1.3), "=": () => stage.call(zoom.scaleBy, 1.3), "-": () => stage.call(zoom.scaleBy, 1 / 1.3),
    };
    const act = moves[event.key] || moves[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    if (!chosen && event.key.startsWith("Arrow")) choose(at, true);
    else act();
  });

  function setMoment(value) {
    const last = Number($("time").max);
    moment = value >= last ? Infinity : value;
    $("time").value = Math.min(value, last);
    const shown = laid.filter((each) => each.data.number <= moment).length;
    $("when").value = moment === Infinity ? `all ${shown} shown` : `${shown} after #${moment}`;
    draw();
  }
  function play(on) {
    cancelAnimationFrame(playing);
    playing = 0;
    $("play").setAttribute("aria-pressed", String(on));
    $("play").textContent = on ? "Stop" : "Replay";
    if (!on) return keep();
    const last = Number($("time").max), began = performance.now(), takes = Math.min(12000, 2500 + 40 * last);
    const tick = (now) => {
      const at = Math.ceil(last * Math.min(1, (now - began) / takes));
      setMoment(at);
      if (at < last) playing = requestAnimationFrame(tick); else play(false);
    };
    playing = requestAnimationFrame(tick);
  }

  $("time").addEventListener("input", (event) => { play(false); setMoment(Number(event.target.value)); keep(); });
  $("play").addEventListener("click", () => play(!playing));
  $("fit").addEventListener("click", fit);
  $("search").addEventListener("input", () => { search(); keep(); });
  $("search").addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); searchEnter(); } });
  $("ghosts").addEventListener("change", async () => { keep(); await begin(); });
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", palette);

  async function begin() {
    nodes.clear();
    if (!await load(`tree.json?ghosts=${$("ghosts").checked ? 1 : 0}`)) return;
    arrange();
    palette();
    fit();
    setMoment(moment === Infinity ? Number($("time").max) : moment);
    home.dataset.ready = laid.length;
  }

  $("ghosts").checked = address.get("ghosts") === "1";
  $("search").value = address.get("find") || "";
  if (address.get("at")) moment = Number(address.get("at")) || Infinity;
  begin().then(() => {
    const wanted = address.get("agent");
    if (wanted) choose(laid.find((each) => each.data.id === wanted), true);
  });
})();
