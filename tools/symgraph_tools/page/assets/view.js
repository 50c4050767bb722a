// The picture: SVG made from a layout, with pan, zoom, minimap, highlights and moving from one step
// to the next.
"use strict";

const NS = "http://www.w3.org/2000/svg", FAR = 15, SUB = 11, MOVING = 400, SHARP = 0.45;
const FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";
const MARKS = { new: "+", old: "−", changed: "•" };

function escaped(text) {
  return String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function round(value) { return Math.round(value * 10) / 10; }

class View {
  constructor(stage, minimap, on) {
    this.svg = stage.querySelector("svg");
    this.world = this.svg.querySelector(".world");
    this.layers = Object.fromEntries(["frames", "edges", "chosen", "nodes"].map((n) => [n, this.svg.querySelector(`.${n}`)]));
    this.minimap = minimap;
    this.on = on;
    this.at = { x: 0, y: 0, k: 1 };
    this.places = {};
    this.elements = new Map();
    this.pen = document.createElement("canvas").getContext("2d");
    this.widths = new Map();
    this.listen();
  }

  width(text, size) {
    const key = size + text;
    if (!this.widths.has(key)) {
      this.pen.font = `${size}px ${FONT}`;
      this.widths.set(key, this.pen.measureText(text).width);
    }
    return this.widths.get(key);
  }

  // Sizes of all nodes of a part, from their texts.
  measure(part, texts) {
    for (const node of part.nodes) {
      const [head, sub] = texts(node);
      node.head = head;
      node.sub = sub;
      const beside = { op: 10, group: 16, input: 15, shared: 12, constant: 12, output: 17 }[node.kind];
      node.w = Math.ceil(Math.max(this.width(head, FAR) - 6, this.width(sub, SUB), 24) + 2 * beside);
      node.h = (sub ? 34 : 22) + (node.kind === "shared" ? 12 : 6);
      const old = this.places[node.id];
      if (old) node.hint = old[0];
      if (node.inside) {
        node.labelWidth = this.width(node.label, SUB) + 30;
        this.measure(node.inside, texts);
      }
    }
  }

  draw(part, layout, isAnimated) {
    const flat = new Map(), frames = [];
    const walk = (p, depth) => p.nodes.forEach((n) => {
      if (n.inside) { frames.push([n, depth]); walk(n.inside, depth + 1); } else flat.set(n.id, n);
    });
    walk(part, 0);
    this.part = part;
    this.flat = flat;
    this.layout = layout;
    this.layers.frames.innerHTML = frames.sort((a, b) => a[1] - b[1]).map(([n, d]) => this.frame(n, layout.frames[n.id], d)).join("");
    const drawn = new Set();
    this.layers.edges.innerHTML = part.edges.map((e) => this.edge(e, layout.routes[e.id], drawn)).join("");
    this.arrangeNodes(flat, layout, isAnimated && flat.size <= MOVING);
    this.places = Object.fromEntries(Object.entries(layout.nodes).map(([id, [x, y]]) => [id, [x, y]]));
    this.drawMinimap();
  }

  arrangeNodes(flat, layout, isAnimated) {
    const kept = new Map();
    this.world.classList.toggle("moving", isAnimated);
    const fresh = document.createElement("div");
    const html = [];
    for (const node of flat.values()) {
      const [x, y, w, h] = layout.nodes[node.id], look = this.node(node, w, h);
      const old = this.elements.get(node.id);
      if (old && old.look === look) {
        old.element.style.transform = `translate(${round(x)}px, ${round(y)}px)`;
        kept.set(node.id, old);
      } else {
        html.push(`<g class="node ${node.kind} ${node.change ?? ""}" data-id="${escaped(node.id)}" style="transform:translate(${round(x)}px,${round(y)}px)">${look}</g>`);
        kept.set(node.id, { look, element: null });
      }
    }
    fresh.innerHTML = `<svg xmlns="${NS}">${html.join("")}</svg>`;
    for (const element of [...fresh.firstChild.children]) kept.get(element.dataset.id).element = element;
    for (const [id, { element }] of this.elements) if (kept.get(id)?.element !== element) element.remove();
    for (const [id, node] of kept) {
      const { element } = node, { kind, change } = flat.get(id);
      element.setAttribute("class", `node ${kind} ${change ?? ""}`);
      if (!element.parentNode || element.parentNode !== this.layers.nodes) this.layers.nodes.append(element);
    }
    this.elements = kept;
  }

  node(node, w, h) {
    const texts = [`<text class="head" y="${node.sub ? -3 : 4.5}">${escaped(node.head)}</text>`];
    if (node.sub) texts.push(`<text class="sub" y="12">${escaped(node.sub)}</text>`);
    const mark = node.change ? `<g class="mark" transform="translate(${w / 2 - 2},${-h / 2 + 2})"><circle r="8"/><text y="4">${MARKS[node.change]}</text></g>` : "";
    const opens = node.kind === "group" || node.bodies?.length ? `<path class="opens" d="M${-w / 2 + 7} -3h6m-3 -3v6"/>` : "";
    return `<path class="box" d="${OUTLINES[node.kind](w, h)}"/>${opens}${texts.join("")}${mark}`;
  }

  frame(node, [x, y, w, h], depth) {
    return `<g class="frame ${node.change ?? ""} depth${depth % 2}" data-id="${escaped(node.id)}">` +
      `<rect x="${round(x - w / 2)}" y="${round(y - h / 2)}" width="${round(w)}" height="${round(h)}" rx="7"/>` +
      `<text x="${round(x - w / 2 + 22)}" y="${round(y - h / 2 + 15)}">${escaped(node.label)}</text>` +
      `<path class="opens" d="M${round(x - w / 2 + 8)} ${round(y - h / 2 + 11)}h7"/></g>`;
  }

  // `drawn`: pieces that are there already, for the edges of one source begin as one.
  edge(edge, points, drawn) {
    if (!points) return "";
    const pieces = curve(points).filter((p) => !drawn || !drawn.has(edge.change + p)), [x, , y] = points[points.length - 1];
    if (drawn) pieces.forEach((p) => drawn.add(edge.change + p));
    const label = edge.times > 1 ? `<text x="${round(x + 5)}" y="${round(y - 9)}">×${edge.times}</text>` : "";
    return `<g class="edge ${edge.change ?? ""}"><path d="${pieces.join("")}"/><path class="tip" d="M${round(x)} ${round(y)}l-3.2 -7h6.4z"/>${label}</g>`;
  }

  // Classes for what is chosen, found and hot; nothing is laid out again.
  mark({ chosen, found, heat, focus }) {
    for (const [id, { element }] of this.elements) {
      element.classList.toggle("chosen", chosen.has(id));
      element.classList.toggle("found", found.has(id));
      const box = element.querySelector(".box"), hot = heat?.(this.flat.get(id));
      box.style.fill = hot ? hot[0] : "";
      for (const look of ["bright", "deep"]) element.classList.toggle(look, hot?.[1] === look);
    }
    const touched = chosen.size ? this.part.edges.filter((e) => chosen.has(e.s) || chosen.has(e.t)) : [];
    this.layers.chosen.innerHTML = touched.map((e) => this.edge(e, this.layout.routes[e.id], null)).join("");
    for (const element of this.layers.frames.children) element.classList.toggle("chosen", chosen.has(element.dataset.id));
    this.chosen = chosen;
    this.drawMinimap();
  }

  move() {
    const { x, y, k } = this.at;
    this.world.style.transform = `translate(${round(x)}px, ${round(y)}px) scale(${k})`;
    this.svg.classList.toggle("far", k < SHARP);
    this.drawMinimap();
  }

  fit(limit = 1) {
    const { width: w, height: h } = this.svg.getBoundingClientRect();
    const k = Math.min(limit, (w - 40) / Math.max(1, this.layout.width), (h - 40) / Math.max(1, this.layout.height));
    this.at = { k, x: (w - this.layout.width * k) / 2, y: Math.max(20, (h - this.layout.height * k) / 2) };
    this.move();
  }

  // All of it, or, where that would be too small to read, its top at the size of its width.
  begin() {
    this.fit();
    if (this.at.k > 0.3) return;
    const { width: w } = this.svg.getBoundingClientRect(), k = Math.min(0.8, Math.max(0.3, (w - 40) / this.layout.width));
    this.at = { k, x: (w - this.layout.width * k) / 2, y: 20 };
    this.move();
  }

  show(ids, least = 0.7) {
    const boxes = ids.map((id) => this.layout.nodes[id] ?? this.layout.frames[id]).filter(Boolean);
    if (!boxes.length) return;
    const left = Math.min(...boxes.map((b) => b[0] - b[2] / 2)), right = Math.max(...boxes.map((b) => b[0] + b[2] / 2));
    const top = Math.min(...boxes.map((b) => b[1] - b[3] / 2)), bottom = Math.max(...boxes.map((b) => b[1] + b[3] / 2));
    const { width: w, height: h } = this.svg.getBoundingClientRect();
    const whole = Math.min((w - 80) / (right - left), (h - 80) / (bottom - top));
    const k = Math.min(1, whole, Math.max(this.at.k, least));
    this.at = { k, x: w / 2 - ((left + right) / 2) * k, y: h / 2 - ((top + bottom) / 2) * k };
    this.move();
  }

  zoom(factor, x, y) {
    const k = Math.min(4, Math.max(0.02, this.at.k * factor)), f = k / this.at.k;
    this.at = { k, x: x - (x - this.at.x) * f, y: y - (y - this.at.y) * f };
    this.move();
  }

  listen() {
    const { svg } = this;
    let drag = null;
    svg.addEventListener("wheel", (e) => {
      e.preventDefault();
      const box = svg.getBoundingClientRect();
      if (e.ctrlKey || !e.shiftKey) this.zoom(Math.exp(-e.deltaY * 0.0015), e.clientX - box.left, e.clientY - box.top);
      else { this.at.x -= e.deltaY; this.move(); }
    }, { passive: false });
    svg.addEventListener("pointerdown", (e) => { drag = { x: e.clientX, y: e.clientY, moved: false }; });
    window.addEventListener("pointermove", (e) => {
      if (!drag) return;
      const dx = e.clientX - drag.x, dy = e.clientY - drag.y;
      if (Math.abs(dx) + Math.abs(dy) > 3) drag.moved = true;
      this.at.x += dx; this.at.y += dy; drag.x = e.clientX; drag.y = e.clientY;
      this.move();
    });
    window.addEventListener("pointerup", (e) => {
      const was = drag;
      drag = null;
      if (!was || was.moved) return;
      const element = e.target.closest?.("[data-id]");
      this.on.click(element && svg.contains(element) ? element.dataset.id : null, Boolean(e.target.closest?.(".opens")));
    });
    svg.addEventListener("dblclick", (e) => {
      const element = e.target.closest("[data-id]");
      if (element) this.on.open(element.dataset.id);
    });
    svg.addEventListener("pointerover", (e) => {
      const element = e.target.closest("[data-id]");
      this.on.hover(element ? element.dataset.id : null);
    });
    this.minimap.addEventListener("pointerdown", (e) => {
      const box = this.minimap.getBoundingClientRect(), m = this.mini;
      if (!m) return;
      const { width: w, height: h } = svg.getBoundingClientRect();
      this.at.x = w / 2 - ((e.clientX - box.left - m.x) / m.k) * this.at.k;
      this.at.y = h / 2 - ((e.clientY - box.top - m.y) / m.k) * this.at.k;
      this.move();
    });
  }

  drawMinimap() {
    if (!this.layout || this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.paintMinimap(); });
  }

  paintMinimap() {
    const canvas = this.minimap, box = canvas.getBoundingClientRect(), scale = window.devicePixelRatio || 1;
    if (!box.width) return;
    canvas.width = box.width * scale;
    canvas.height = box.height * scale;
    const pen = canvas.getContext("2d"), style = getComputedStyle(document.body);
    const { width: w, height: h } = this.layout;
    const k = Math.min((box.width - 8) / Math.max(w, 1), (box.height - 8) / Math.max(h, 1));
    const m = this.mini = { k, x: (box.width - w * k) / 2, y: (box.height - h * k) / 2 };
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    const colour = (name) => style.getPropertyValue(name);
    for (const [id, [x, y, nw, nh]] of Object.entries(this.layout.nodes)) {
      const node = this.flat.get(id);
      if (!node) continue;
      pen.fillStyle = this.chosen?.has(id) ? colour("--accent") : node.change ? colour(`--${node.change}`) : colour(`--${node.kind}-line`);
      pen.fillRect(m.x + (x - nw / 2) * k, m.y + (y - nh / 2) * k, Math.max(1.5, nw * k), Math.max(1.5, nh * k));
    }
    const view = this.svg.getBoundingClientRect();
    pen.strokeStyle = colour("--accent");
    pen.strokeRect(m.x - (this.at.x / this.at.k) * k, m.y - (this.at.y / this.at.k) * k, (view.width / this.at.k) * k, (view.height / this.at.k) * k);
  }
}

// Straight through the layers, smooth between them: a piece for each, from where it begins.
function curve(points) {
  const pieces = [], line = (x, y, end) => { if (Math.abs(end - y) > 0.05) pieces.push(`M${round(x)} ${round(y)}V${round(end)}`); };
  let [x, top, bottom] = points[0];
  line(x, top, bottom);
  points.slice(1).forEach(([nextX, nextTop, end], k, rest) => {
    const middle = round((bottom + nextTop) / 2);
    if (Math.abs(nextX - x) < 0.1) line(x, bottom, nextTop);
    else pieces.push(`M${round(x)} ${round(bottom)}C${round(x)} ${middle} ${round(nextX)} ${middle} ${round(nextX)} ${round(nextTop)}`);
    line(nextX, nextTop, k === rest.length - 1 ? end - 5 : end);
    [x, bottom] = [nextX, end];
  });
  return pieces;
}

function rectangle(w, h, r) {
  return `M${-w / 2 + r} ${-h / 2}H${w / 2 - r}a${r} ${r} 0 0 1 ${r} ${r}V${h / 2 - r}a${r} ${r} 0 0 1 ${-r} ${r}H${-w / 2 + r}a${r} ${r} 0 0 1 ${-r} ${-r}V${-h / 2 + r}a${r} ${r} 0 0 1 ${r} ${-r}z`;
}

const OUTLINES = {
  op: (w, h) => rectangle(w, h, 6),
  group: (w, h) => rectangle(w, h, 2) + `M${-w / 2 + 4} ${-h / 2}V${h / 2}M${w / 2 - 4} ${-h / 2}V${h / 2}`,
  input: (w, h) => rectangle(w, h, h / 2),
  constant: (w, h) => `M${-w / 2} ${-h / 2}H${w / 2 - 9}l9 9V${h / 2}H${-w / 2}zM${w / 2 - 9} ${-h / 2}v9h9`,
  shared: (w, h) => `M${-w / 2} ${-h / 2 + 5}a${w / 2} 5 0 0 1 ${w} 0V${h / 2 - 5}a${w / 2} 5 0 0 1 ${-w} 0zM${-w / 2} ${-h / 2 + 5}a${w / 2} 5 0 0 0 ${w} 0`,
  output: (w, h) => `M${-w / 2} 0l11 ${-h / 2}H${w / 2 - 11}l11 ${h / 2}l-11 ${h / 2}H${-w / 2 + 11}z`,
};
