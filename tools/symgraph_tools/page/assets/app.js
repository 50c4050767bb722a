// The page: one state, kept in the address, and what it shows. START READING HERE.
//   layered.js, layout.js   where everything is; run in a worker where there is one
//   model.js, groups.js     the graph at a step, and the part of it that is shown
//   view.js, panes.js       the picture, and what stands beside it
const COLOURS = ["#3b528b", "#5ec962", "#e69f00", "#56b4e9", "#cc79a7", "#f0e442", "#009e73", "#d55e00"];
const QUICK = 60;
const TABS = ["step", "node", "source", "kernel", "memory"];
const THEMES = ["light", "dark", "print"];
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
    this.heats = ["none", "dtype", ...Object.keys(data.heat)];
    this.read();
    this.controls();
    this.worker = startWorker(() => this.arrived());
    this.refresh();
  }

  // ---- state in the address ----
  read() {
    const given = new URLSearchParams(location.hash.slice(1)), s = this.state, { steps, kernels, lines } = this.data;
    const most = { step: steps.length, kernel: kernels.length, line: lines.length, focus: 10, changes: 2, quiet: 2 };
    const among = { group: GROUPS, tab: TABS, theme: THEMES, code: ["py", "ir", "llvm", "asm"], heat: this.heats };
    for (const [key, text] of given) {
      if (key in most && /^\d+$/.test(text) && Number(text) < most[key]) s[key] = Number(text);
      else if (among[key]?.includes(text) || key === "chosen" || key === "query") s[key] = text;
      else if (["open", "closed", "hide"].includes(key)) s[key] = new Set(text.split(",").filter(Boolean));
    }
  }

  write() {
    const made = new URLSearchParams();
    for (const [key, value] of Object.entries(this.state)) {
      const text = value instanceof Set ? [...value].join(",") : typeof value === "boolean" ? Number(value) : value ?? "";
      if (text !== "") made.set(key, text);
    }
    this.hash = `#${made}`;
    // An embedded page has no address.
    try { history.replaceState(null, "", this.hash); } catch {}
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
    this.edges = part.edges;
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
    if (this.view.layout.frames[s.chosen]) chosen.add(s.chosen);
    const isChosen = (n) => n.node === number || this.model.nodes[n.node].lines.includes(s.line);
    for (const n of this.view.flat.values()) {
      if (n.id === s.chosen || (n.kind !== "output" && [...every(n)].some(isChosen))) chosen.add(n.id);
      if (s.query && [...every(n)].some((m) => this.fits(m))) found.add(n.id);
    }
    this.found = [...found];
    this.make("found").textContent = s.query ? `${found.size} found` : "";
    this.view.mark({ chosen, found, heat: this.heat() });
  }

  fits(node) {
    const { op, name, type, lines } = this.model.nodes[node.node];
    const text = [op, name, type, node.head, ...lines.map((l) => this.panes.lineText(l)).map((l) => `${l.name}:${l.number} ${l.text}`)].join(" ").toLowerCase();
    return this.state.query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
  }

  // For a node its colour, and what text is read on it; the legend says what colours mean.
  heat() {
    const kind = this.state.heat, legend = this.make("legend"), nodes = [...this.view.flat.values()];
    legend.hidden = kind === "none";
    if (kind === "none") return null;
    if (kind === "dtype") {
      const type = (n) => (n.kind === "group" ? "" : this.model.nodes[n.node].type.split("[")[0]), seen = [...new Set(nodes.map(type))].filter(Boolean);
      const colour = (t) => `color-mix(in srgb, ${COLOURS[seen.indexOf(t) % COLOURS.length]} 38%, var(--ground))`;
      legend.innerHTML = seen.map((t) => `<span><i style="background:${colour(t)}"></i>${escaped(t)}</span>`).join("");
      return (n) => type(n) && [colour(type(n)), "plain"];
    }
    const { of, title, unit, full } = this.data.heat[kind];
    const value = (n) => (n.members ? n.members.reduce((sum, m) => sum + (value(m) ?? 0), 0) : n.kind === "output" ? undefined : of[n.node]);
    const most = Math.max(full, ...nodes.map((n) => value(n) ?? 0));
    legend.innerHTML = `<span>${escaped(title)}</span><b class="ramp"></b><span>0 to ${most.toPrecision(3)} ${escaped(unit)}</span>`;
    return (n) => most && value(n) !== undefined && [ramp(value(n) / most), value(n) / most < 0.55 ? "bright" : "deep"];
  }

  number() {
    const { chosen } = this.state, node = chosen && this.view.flat?.get(chosen);
    return node ? node.node : chosen && this.model.nodes[last(chosen)] ? last(chosen) : null;
  }

  users(number) {
    const found = this.edges.filter((e) => e.change !== "old" && last(e.s) === number).map((e) => last(e.t));
    return [...new Set(found)].filter((n) => n >= 0);
  }

  panel() {
    const s = this.state, number = this.number();
    const step = this.model.steps[s.step], near = s.tab === "source" && step.line >= 0 ? [step.line] : [];
    const lines = new Set(s.line !== null ? [s.line] : number !== null ? this.model.nodes[number].lines : near);
    const of = (this.data.heat[s.heat] ?? this.data.heat.time)?.byLine;
    const context = { ...s, number, lines, users: this.users(number), lineHeat: of && ((l) => of[l] ?? 0) };
    const body = this.make("panel"), top = body.dataset.tab === s.tab ? body.scrollTop : 0;
    body.innerHTML = this.panes[s.tab](context);
    body.dataset.tab = s.tab;
    body.scrollTop = top;
    const list = this.make("steps");
    if (list.dataset.quiet !== String(s.quiet)) { list.innerHTML = this.panes.steps(s); list.dataset.quiet = s.quiet; }
    list.querySelector(".here")?.removeAttribute("class");
    const row = list.querySelector(`[data-step="${s.step}"]`);
    row?.setAttribute("class", "here");
    for (const one of [row, body.querySelector(".code .here")]) one?.scrollIntoView({ block: "nearest" });
    for (const button of document.querySelectorAll("#tabs button")) button.setAttribute("aria-selected", button.dataset.tab === s.tab);
    this.make("slider").value = s.step;
    this.make("caption").textContent = `${s.step} of ${this.data.steps.length - 1} · ${step.rule.name}${step.kind === 1 ? ` (${step.table})` : ""}`;
    for (const one of document.querySelectorAll("[data-set],[data-hide]")) {
      const { set, hide } = one.dataset;
      if (one.type === "checkbox") one.checked = set ? s[set] : s.hide.has(hide);
      else if (document.activeElement !== one) one.value = s[set];
    }
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

  // What keys do; buttons name their key.
  keys() {
    const s = this.state, cycle = (key, list) => this.set({ [key]: list[(list.indexOf(s[key]) + 1) % list.length] });
    const { width, height } = this.make("stage").getBoundingClientRect(), zoom = (by) => this.view.zoom(by, width / 2, height / 2);
    const pane = (name) => { document.body.classList.toggle(name); this.view.move(); }, help = this.make("help");
    const walk = (some) => { if (some?.length) { this.choose(this.find(some[0])); this.view.show([s.chosen]); } }, number = this.number();
    return {
      ArrowRight: () => this.along(1), ArrowLeft: () => this.along(-1), Home: () => this.step(0), End: () => this.step(1e9), " ": () => this.play(),
      ArrowUp: () => walk(this.model.inputs[number]), ArrowDown: () => walk(this.users(number)),
      f: () => this.view.fit(), "/": () => this.make("search").focus(), d: () => this.set({ changes: !s.changes }), g: () => cycle("group", GROUPS),
      h: () => cycle("heat", this.heats), t: () => cycle("theme", THEMES), q: () => this.set({ quiet: !s.quiet }),
      o: () => this.set({ focus: s.focus ? 0 : 2 }, { then: () => this.view.fit() }), e: () => s.chosen && this.toggle(s.chosen),
      Escape: () => { help.hidden = true; this.set({ chosen: null, line: null, query: "", focus: 0 }); }, "?": () => { help.hidden = !help.hidden; },
      "+": () => zoom(1.25), "-": () => zoom(0.8), "[": () => pane("no-left"), "]": () => pane("no-right"),
      c: () => navigator.clipboard?.writeText(location.href.split("#")[0] + this.hash).catch(() => {}),
      ...Object.fromEntries(TABS.map((tab, k) => [k + 1, () => this.set({ tab })])),
    };
  }

  controls() {
    const slider = this.make("slider"), search = this.make("search");
    slider.max = this.data.steps.length - 1;
    slider.addEventListener("input", () => this.step(Number(slider.value)));
    search.addEventListener("input", () => { this.state.query = search.value; this.marks(); this.write(); });
    search.addEventListener("keydown", (e) => { if (e.key === "Enter" && this.found.length) { this.turn = ((this.turn ?? -1) + 1) % this.found.length; this.view.show([this.found[this.turn]], 0.9); } });
    document.addEventListener("click", (e) => this.clicked(e));
    document.addEventListener("change", ({ target }) => {
      const { set, hide } = target.dataset, fits = set === "group" || set === "focus";
      if (hide) { const some = this.state.hide; if (target.checked) some.add(hide); else some.delete(hide); this.refresh(); }
      if (set) this.set({ [set]: target.type === "checkbox" ? target.checked : isNaN(target.value) ? target.value : Number(target.value), ...(set === "group" && { open: new Set() }) }, { then: () => fits && this.view.fit() });
    });
    document.addEventListener("keydown", (e) => {
      if (e.target.matches?.("[type=search], select")) { if (e.key === "Escape") e.target.blur(); return; }
      const act = e.ctrlKey || e.metaKey || e.altKey || (e.key === " " && e.target.matches?.("button, input")) ? null : this.keys()[e.key];
      if (act) { e.preventDefault(); act(); }
    });
    window.addEventListener("hashchange", () => { if (location.hash !== this.hash) { this.read(); this.refresh(); } });
    window.addEventListener("resize", () => this.view.move());
    window.addEventListener("beforeprint", () => { if (this.state.theme === "dark") document.body.dataset.theme = "light"; this.view.paper(true); });
    window.addEventListener("afterprint", () => { document.body.dataset.theme = this.state.theme; this.view.paper(false); });
  }

  clicked(e) {
    const element = e.target.closest("[data-step],[data-node],[data-line],[data-kernel],[data-code],[data-key],[data-tab]");
    if (!element || element.closest("#stage svg")) return;
    e.preventDefault();
    const { step, node, line, kernel, code, tab, key } = element.dataset, here = this.state.tab;
    if (key) this.keys()[key]();
    else if (step) this.step(Number(step));
    else if (node) { this.choose(this.find(Number(node))); this.view.show([this.state.chosen]); }
    else if (line) this.set({ line: Number(line), chosen: null, tab: here === "kernel" ? here : "source" }, { then: () => this.view.show([...this.view.chosen]) });
    else if (kernel) this.set({ kernel: Number(kernel), tab: "kernel" });
    else if (code) this.set({ code });
    else this.set({ tab });
  }

  // Where a number is shown now: by itself, inside a body, or in a closed group.
  find(number) {
    for (const [id, node] of this.view.flat) if (node.kind !== "output" && [...every(node)].some((m) => m.node === number)) return id;
    return String(number);
  }
}

// The number of a node, from how it is called in the picture: NaN for outputs and groups.
function last(id) { return Number(id.split(".").pop()); }

function shortened(text, most) { return text.length > most ? `${text.slice(0, most - 1)}…` : text; }

// Light to dark blue through yellow: the colours of cividis (Nuñez et al. 2018), reversed.
function ramp(share) {
  const stops = [[253, 234, 169], [217, 194, 98], [148, 142, 119], [78, 93, 108], [0, 34, 78]];
  const at = Math.min(0.999, Math.max(0, share)) * 4, k = Math.floor(at), f = at - k;
  return `rgb(${stops[k].map((c, i) => Math.round(c + (stops[k + 1][i] - c) * f)).join(",")})`;
}

// The layout in a worker, whose program is the text of this page; here where workers are not allowed,
// and where the picture is so small that it is sooner made than asked for.
function startWorker(arrived) {
  let turn = 0, worker = null;
  const self = {
    layOut(part) {
      turn++;
      self.part = part;
      if (worker && part.nodes.length > QUICK) worker.postMessage({ turn, part });
      else setTimeout(here, 0, turn);
    },
  };
  const here = (mine) => { if (mine === turn) { self.layout = layOut(self.part); arrived(); } };
  try {
    const text = document.getElementById("layout-program").textContent + "\nonmessage = (e) => postMessage({ turn: e.data.turn, layout: layOut(e.data.part) });";
    worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
    worker.onmessage = (e) => { if (e.data.turn === turn) { self.layout = e.data.layout; arrived(); } };
    worker.onerror = (e) => { e.preventDefault(); worker = null; here(turn); };
  // No worker, as in a frame of a notebook: everything is laid out here.
  } catch {}
  return self;
}

window.addEventListener("DOMContentLoaded", () => {
  window.app = new App(JSON.parse(document.getElementById("data").textContent));
});
