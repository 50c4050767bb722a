// The page: one state, kept in the address, and what it shows. START READING HERE.
//   layered.js, layout.js   where everything is; run in a worker where there is one
//   model.js, groups.js     the graph at a step, and the part of it that is shown
//   view.js, panes.js       the picture, and what stands beside it
"use strict";

const COLOURS = ["#3b528b", "#5ec962", "#e69f00", "#56b4e9", "#cc79a7", "#f0e442", "#009e73", "#d55e00"];
const KEYS = {
  ArrowRight: "next", ArrowLeft: "back", Home: "first", End: "last", " ": "play", f: "fit", "/": "search", d: "changes", g: "group",
  h: "heat", t: "theme", o: "focus", q: "quiet", Escape: "clear", "?": "help", "+": "in", "-": "out", 1: "step tab", 2: "node tab",
  3: "source tab", 4: "kernel tab", 5: "memory tab", "[": "left", "]": "right", e: "expand",
};
const QUICK = 60; // nodes that are laid out at once, sooner than a worker could be asked
const TABS = ["step", "node", "source", "kernel", "memory"];
const GROUPS = ["none", "auto", "repeat", "chain", "line", "kernel"];

class App {
  constructor(data) {
    this.model = new Model(data);
    this.model.kernelOf = new Map(data.kernels.flatMap((k, n) => k.nodes.map((m) => [m, n])));
    this.panes = new Panes(this.model);
    this.data = data;
    this.make = (id) => document.getElementById(id);
    this.view = new View(this.make("stage"), this.make("minimap"), {
      click: (id, isOpener) => (isOpener ? this.toggle(id) : this.choose(id)),
      open: (id) => this.toggle(id),
      hover: (id) => this.hover(id),
    });
    const large = data.nodes.length > 400;
    this.state = {
      step: data.steps.length - 1, group: large ? "auto" : "none", heat: "none", hide: new Set(), quiet: true, changes: true,
      tab: "step", code: "py", kernel: 0, chosen: null, line: null, focus: 0, open: new Set(), closed: new Set(), theme: data.theme, query: "",
    };
    this.read();
    this.controls();
    this.worker = startWorker(() => this.arrived());
    this.refresh();
  }

  // ---- state in the address ----
  read() {
    const given = new URLSearchParams(location.hash.slice(1)), s = this.state;
    const number = (key, most) => { const n = Number(given.get(key)); return given.has(key) && Number.isInteger(n) && n >= 0 && n <= most ? n : undefined; };
    s.step = number("step", this.data.steps.length - 1) ?? s.step;
    s.kernel = number("kernel", this.data.kernels.length - 1) ?? s.kernel;
    s.focus = number("focus", 9) ?? s.focus;
    s.line = number("line", this.data.lines.length - 1) ?? s.line;
    for (const [key, allowed] of [["group", GROUPS], ["tab", TABS], ["theme", ["light", "dark", "print"]], ["code", ["py", "ir", "llvm", "asm"]], ["heat", ["none", "dtype", ...Object.keys(this.data.heat)]]])
      if (allowed.includes(given.get(key))) s[key] = given.get(key);
    if (given.has("node")) s.chosen = given.get("node");
    for (const key of ["open", "closed", "hide"]) if (given.has(key)) s[key] = new Set(given.get(key).split(",").filter(Boolean));
    for (const key of ["quiet", "changes"]) if (given.has(key)) s[key] = given.get(key) === "1";
    if (given.has("q")) s.query = given.get("q");
  }

  write() {
    const s = this.state, made = new URLSearchParams({ step: s.step, tab: s.tab, theme: s.theme, group: s.group });
    if (s.chosen) made.set("node", s.chosen);
    if (s.heat !== "none") made.set("heat", s.heat);
    if (s.focus) made.set("focus", s.focus);
    if (s.line !== null) made.set("line", s.line);
    if (s.tab === "kernel") { made.set("kernel", s.kernel); made.set("code", s.code); }
    if (s.query) made.set("q", s.query);
    if (!s.changes) made.set("changes", 0);
    if (!s.quiet) made.set("quiet", 0);
    for (const key of ["open", "closed", "hide"]) if (s[key].size) made.set(key, [...s[key]].join(","));
    this.hash = `#${made}`;
    try { history.replaceState(null, "", this.hash); } catch { /* an embedded page has no address */ }
  }

  // ---- from state to picture ----
  options() {
    const s = this.state;
    return { hide: s.hide, open: (id) => (s.closed.has(id) ? false : s.open.has(id) || (s.open.size + this.data.nodes.length < 150 && !id.includes(":"))) };
  }

  part() {
    const s = this.state, options = this.options(), { model } = this;
    let before = null;
    const isDifference = s.changes && s.step > 0 && model.steps[s.step].kind === 1;
    if (isDifference) { model.go(s.step - 1); before = model.whole(options); }
    model.go(s.step);
    let part = model.whole(options);
    if (before) part = withGhosts(part, before);
    this.users = readers(part);
    part = grouped(part, s.group, model, (id) => s.open.has(id));
    if (s.focus && s.chosen) part = around(part, s.chosen, s.focus);
    return part;
  }

  refresh({ isAnimated = false, then = null } = {}) {
    document.body.dataset.theme = this.state.theme;
    const part = this.part();
    this.view.measure(part, (node) => this.texts(node));
    this.pending = { part, isAnimated, then };
    this.worker.layOut(part);
    this.panel();
    this.write();
  }

  texts(node) {
    if (node.kind === "group") return [shortened(node.head, 46), `${node.count} nodes`];
    const { name, type } = this.model.nodes[node.node];
    const named = node.kind === "op" && name ? `${name} = ${node.head}` : node.head;
    return [shortened(named, 46), shortened(type, 40)];
  }

  arrived() {
    const { part, isAnimated, then } = this.pending, isFirst = !this.view.layout;
    this.view.draw(part, this.worker.layout, isAnimated);
    if (isFirst) { this.view.begin(); this.make("loading").hidden = true; }
    this.marks();
    then?.();
    document.body.dataset.ready = String(Number(document.body.dataset.ready ?? 0) + 1);
  }

  marks() {
    const s = this.state, chosen = new Set(), found = new Set(), number = this.number();
    const lineNodes = (line) => (n) => this.model.nodes[n.node]?.lines.includes(line);
    const same = (n) => n.kind !== "output" && (n.node === number || n.members?.some((m) => m.node === number));
    const every = [...this.view.flat.values()];
    if (s.chosen) for (const n of every) if (n.id === s.chosen || (number !== null && same(n))) chosen.add(n.id);
    if (s.chosen && this.view.layout.frames[s.chosen]) chosen.add(s.chosen);
    if (s.line !== null) for (const n of every) if (lineNodes(s.line)(n) || n.members?.some(lineNodes(s.line))) chosen.add(n.id);
    if (s.query) for (const n of every) if (this.fits(n)) found.add(n.id);
    this.found = [...found];
    this.make("found").textContent = s.query ? `${found.size} found` : "";
    this.view.mark({ chosen, found, heat: this.heat() });
  }

  fits(node) {
    const words = this.state.query.toLowerCase().split(/\s+/).filter(Boolean);
    const all = (n) => {
      const { op, name, type, lines } = this.model.nodes[n.node];
      const text = [op, name, type, n.head, ...lines.map((l) => { const t = this.panes.lineText(l); return `${t.name}:${t.number} ${t.text}`; })].join(" ").toLowerCase();
      return words.every((w) => text.includes(w)) || n.members?.some(all);
    };
    return all(node);
  }

  heat() {
    const kind = this.state.heat;
    const legend = this.make("legend");
    legend.hidden = kind === "none";
    if (kind === "none") return null;
    if (kind === "dtype") {
      const seen = new Map();
      const of = (n) => { const t = this.model.nodes[n.node].type.split("[")[0]; if (!seen.has(t)) seen.set(t, `color-mix(in srgb, ${COLOURS[seen.size % COLOURS.length]} 38%, var(--ground))`); return [seen.get(t), "plain"]; };
      for (const n of this.view.flat.values()) if (n.kind !== "group") of(n);
      legend.innerHTML = [...seen].map(([t, c]) => `<span><i style="background:${c}"></i>${escaped(t)}</span>`).join("");
      return (n) => (n.kind === "group" ? null : of(n));
    }
    const { of, title, unit } = this.data.heat[kind];
    const value = (n) => (n.members ? n.members.reduce((sum, m) => sum + (value(m) ?? 0), 0) : n.kind === "output" ? undefined : of[n.node]);
    let most = 0;
    for (const n of this.view.flat.values()) most = Math.max(most, value(n) ?? 0);
    legend.innerHTML = `<span>${escaped(title)}</span><b class="ramp"></b><span>0 to ${most.toPrecision(3)} ${escaped(unit)}</span>`;
    return (n) => { const v = value(n); return v === undefined || !most ? null : [ramp(v / most), v / most < 0.55 ? "bright" : "deep"]; };
  }

  number() {
    const { chosen } = this.state, node = chosen && (this.view.flat?.get(chosen) ?? null);
    if (node) return node.node;
    const plain = chosen?.match(/^(?:.*\.)?(\d+)$/);
    return plain ? Number(plain[1]) : null;
  }

  panel() {
    const s = this.state, number = this.number();
    const lines = new Set(s.line !== null ? [s.line] : number !== null ? this.model.nodes[number]?.lines : s.tab === "source" && this.model.steps[s.step].line >= 0 ? [this.model.steps[s.step].line] : []);
    const of = this.data.heat.time?.byLine;
    const context = { ...s, number, lines, users: this.users, lineHeat: of && ((l) => of[l] ?? 0) };
    const body = this.make("panel"), top = body.dataset.tab === s.tab ? body.scrollTop : 0;
    body.innerHTML = { step: () => this.panes.step(context), node: () => this.panes.node(context), source: () => this.panes.source(context), kernel: () => this.panes.kernels(context), memory: () => this.panes.memory(context) }[s.tab]();
    body.dataset.tab = s.tab;
    body.scrollTop = top;
    const list = this.make("steps");
    if (list.dataset.quiet !== String(s.quiet)) { list.innerHTML = this.panes.steps(s); list.dataset.quiet = s.quiet; }
    list.querySelector(".here")?.classList.remove("here");
    const row = list.querySelector(`[data-step="${s.step}"]`);
    row?.classList.add("here");
    row?.scrollIntoView({ block: "nearest" });
    body.querySelector(".code .here")?.scrollIntoView({ block: "nearest" });
    for (const button of document.querySelectorAll("#tabs button")) button.classList.toggle("here", button.dataset.tab === s.tab);
    const step = this.model.steps[s.step];
    this.make("slider").value = s.step;
    this.make("caption").textContent = `${s.step} of ${this.data.steps.length - 1} · ${step.rule.name}${step.kind === 1 ? ` (${step.table})` : ""}`;
    for (const [id, value] of [["group", s.group], ["heat", s.heat], ["theme", s.theme], ["search", s.query], ["focus", s.focus]]) if (document.activeElement !== this.make(id)) this.make(id).value = value;
    this.make("changes").checked = s.changes;
    this.make("quiet").checked = s.quiet;
    for (const box of document.querySelectorAll("[data-hide]")) box.checked = s.hide.has(box.dataset.hide);
  }

  // ---- what one can do ----
  set(change, options) {
    Object.assign(this.state, change);
    this.refresh(options);
  }

  choose(id, tab) {
    this.set({ chosen: id, line: null, tab: id ? tab ?? (["source", "kernel"].includes(this.state.tab) ? this.state.tab : "node") : this.state.tab });
  }

  hover(id) {
    const node = id && this.view.flat.get(id), bar = this.make("tooltip");
    bar.textContent = node ? (node.kind === "group" ? node.head : `${node.head}: ${this.model.nodes[node.node].type}`) : "";
  }

  toggle(id) {
    const { open, closed } = this.state, isOpen = this.view.layout.frames[id] !== undefined;
    if (isOpen) { open.delete(id); closed.add(id); } else { open.add(id); closed.delete(id); }
    this.refresh({ isAnimated: true, then: () => this.view.show([id], 0.4) });
  }

  step(to, options = {}) {
    const step = Math.max(0, Math.min(this.data.steps.length - 1, to));
    const row = this.model.steps[step];
    const ids = [...row.added, ...row.removed, row.before, row.after].filter((n) => n >= 0).map(String);
    this.set({ step, tab: this.state.tab === "node" ? "step" : this.state.tab }, { isAnimated: true, then: () => row.kind && this.view.show(ids.filter((i) => this.view.layout.nodes[i])), ...options });
  }

  along(direction) {
    let k = this.state.step + direction;
    while (this.state.quiet && this.model.steps[k] && isNoise(this.model.steps[k])) k += direction;
    if (this.model.steps[k]) this.step(k);
    return Boolean(this.model.steps[k]);
  }

  play() {
    if (this.playing) { clearInterval(this.playing); this.playing = null; }
    else {
      if (this.state.step === this.data.steps.length - 1) this.step(0);
      this.playing = setInterval(() => { if (!this.along(1)) this.play(); }, 1100);
    }
    this.make("play").textContent = this.playing ? "❚❚" : "▶";
  }

  act(action) {
    const s = this.state, cycle = (list, one) => list[(list.indexOf(one) + 1) % list.length];
    const box = this.make("stage").getBoundingClientRect();
    const actions = {
      next: () => this.along(1), back: () => this.along(-1), first: () => this.step(0), last: () => this.step(1e9), play: () => this.play(),
      fit: () => this.view.fit(), search: () => this.make("search").focus(), changes: () => this.set({ changes: !s.changes }),
      group: () => this.set({ group: cycle(GROUPS, s.group) }), heat: () => this.set({ heat: cycle(["none", "dtype", ...Object.keys(this.data.heat)], s.heat) }),
      theme: () => this.set({ theme: cycle(["light", "dark", "print"], s.theme) }), quiet: () => this.set({ quiet: !s.quiet }),
      focus: () => this.set({ focus: s.focus ? 0 : 2 }, { then: () => this.view.fit() }), clear: () => { this.make("help").hidden = true; this.set({ chosen: null, line: null, query: "", focus: 0 }); },
      help: () => { this.make("help").hidden = !this.make("help").hidden; }, in: () => this.view.zoom(1.25, box.width / 2, box.height / 2),
      out: () => this.view.zoom(0.8, box.width / 2, box.height / 2), left: () => document.body.classList.toggle("no-left"),
      right: () => document.body.classList.toggle("no-right"), expand: () => s.chosen && this.toggle(s.chosen),
    };
    if (action.endsWith(" tab")) this.set({ tab: action.slice(0, -4) });
    else actions[action]();
  }

  controls() {
    const on = (id, event, run) => this.make(id).addEventListener(event, run);
    this.make("slider").max = this.data.steps.length - 1;
    on("slider", "input", (e) => this.step(Number(e.target.value)));
    for (const id of ["play", "next", "back", "fit"]) on(id, "click", () => this.act(id));
    on("helping", "click", () => this.act("help"));
    on("help", "click", () => this.act("help"));
    on("group", "change", (e) => this.set({ group: e.target.value, open: new Set() }, { then: () => this.view.fit() }));
    on("heat", "change", (e) => this.set({ heat: e.target.value }));
    on("theme", "change", (e) => this.set({ theme: e.target.value }));
    on("focus", "change", (e) => this.set({ focus: Number(e.target.value) }, { then: () => this.view.fit() }));
    on("changes", "change", (e) => this.set({ changes: e.target.checked }));
    on("quiet", "change", (e) => this.set({ quiet: e.target.checked }));
    on("search", "input", (e) => { this.state.query = e.target.value; this.marks(); this.write(); });
    on("search", "keydown", (e) => { if (e.key === "Enter" && this.found.length) { this.turn = ((this.turn ?? -1) + 1) % this.found.length; this.view.show([this.found[this.turn]], 0.9); } });
    on("copy", "click", () => { navigator.clipboard?.writeText(location.href.split("#")[0] + this.hash); });
    for (const box of document.querySelectorAll("[data-hide]"))
      box.addEventListener("change", () => { const { hide } = this.state; if (box.checked) hide.add(box.dataset.hide); else hide.delete(box.dataset.hide); this.refresh(); });
    document.addEventListener("click", (e) => this.clicked(e));
    document.addEventListener("change", (e) => { if (e.target.dataset?.choose === "kernel") this.set({ kernel: Number(e.target.value) }); });
    document.addEventListener("keydown", (e) => {
      if (["INPUT", "SELECT", "TEXTAREA"].includes(e.target.tagName) && e.target.type !== "range" && e.target.type !== "checkbox") { if (e.key === "Escape") e.target.blur(); return; }
      if (e.ctrlKey || e.metaKey || e.altKey || !KEYS[e.key]) return;
      e.preventDefault();
      this.act(KEYS[e.key]);
    });
    window.addEventListener("hashchange", () => { if (location.hash !== this.hash) { this.read(); this.refresh(); } });
    window.addEventListener("resize", () => this.view.move());
  }

  clicked(e) {
    const element = e.target.closest("[data-step],[data-node],[data-line],[data-kernel],[data-code],#tabs button");
    if (!element || element.closest("#stage svg")) return;
    if (element.tagName === "A") e.preventDefault();
    const { step, node, line, kernel, code, tab } = element.dataset;
    if (step !== undefined) this.step(Number(step));
    else if (node !== undefined) { this.choose(this.find(Number(node))); this.view.show([this.state.chosen]); }
    else if (line !== undefined) this.set({ line: Number(line), chosen: null, tab: "source" }, { then: () => this.view.show([...this.view.chosen]) });
    else if (kernel !== undefined) this.set({ kernel: Number(kernel), tab: "kernel" });
    else if (code !== undefined) this.set({ code });
    else if (tab !== undefined) this.set({ tab });
  }

  // Where a number is shown now: by itself, inside a body, or in a closed group.
  find(number) {
    for (const [id, node] of this.view.flat) if (node.kind !== "output" && (node.node === number || node.members?.some((m) => m.node === number))) return id;
    return String(number);
  }
}

function readers(part) {
  const users = new Map(), number = new Map();
  const walk = (p) => p.nodes.forEach((n) => { if (n.kind !== "output") number.set(n.id, n.node); if (n.inside) walk(n.inside); });
  walk(part);
  for (const { s, t, change } of part.edges) {
    const from = number.get(s), to = number.get(t);
    if (from === undefined || to === undefined || change === "old") continue;
    if (!users.has(from)) users.set(from, []);
    if (!users.get(from).includes(to)) users.get(from).push(to);
  }
  return users;
}

function shortened(text, most) { return text.length > most ? `${text.slice(0, most - 1)}…` : text; }

// Light to dark blue through yellow: the colours of cividis (Nuñez et al. 2018), reversed.
function ramp(share) {
  const stops = [[253, 234, 169], [217, 194, 98], [148, 142, 119], [78, 93, 108], [0, 34, 78]];
  const at = Math.min(0.999, Math.max(0, share)) * 4, k = Math.floor(at), f = at - k;
  return `rgb(${stops[k].map((c, i) => Math.round(c + (stops[k + 1][i] - c) * f)).join(",")})`;
}

// The layout in a worker, whose program is the text of this page; here where workers are not allowed.
function startWorker(arrived) {
  const self = { layout: null, layOut: null };
  let turn = 0;
  const here = (part) => {
    const mine = ++turn, layout = layOut(part);
    setTimeout(() => { if (mine === turn) { self.layout = layout; arrived(); } }, 0);
  };
  try {
    const text = document.getElementById("layout-program").textContent + "\nonmessage = (e) => postMessage({ turn: e.data.turn, layout: layOut(e.data.part) });";
    const worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
    worker.onmessage = (e) => { if (e.data.turn === turn) { self.layout = e.data.layout; arrived(); } };
    worker.onerror = (e) => { e.preventDefault(); self.layOut = here; if (!self.layout) here(self.last); };
    self.layOut = (part) => {
      self.last = slim(part);
      if (part.nodes.length <= QUICK) here(self.last);
      else worker.postMessage({ turn: ++turn, part: self.last });
    };
  } catch {
    self.layOut = (part) => here(slim(part));
  }
  return self;
}

function slim(part) {
  const nodes = part.nodes.map(({ id, w, h, hint, inside, labelWidth }) => ({ id, w, h, hint, labelWidth, inside: inside && slim({ nodes: inside.nodes, edges: [] }) }));
  return { nodes, edges: part.edges.map(({ id, s, t }) => ({ id, s, t })) };
}

window.addEventListener("DOMContentLoaded", () => {
  window.app = new App(JSON.parse(document.getElementById("data").textContent));
});
