// The picture: SVG made from a layout, with pan, zoom, minimap, highlights and moving from one step
// to the next.
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
    this.minimap.setAttribute("viewBox", `0 0 ${layout.width} ${layout.height}`);
  }

  // Nodes that look as before stay, and move; all others are made anew.
  arrangeNodes(flat, layout, isAnimated) {
    const kept = new Map();
    this.world.classList.toggle("moving", isAnimated);
    for (const [id, node] of flat) {
      const [x, y, w, h] = layout.nodes[id], look = this.node(node, w, h);
      let [element, was] = this.elements.get(id) ?? [];
      if (was !== look) {
        element = document.createElementNS(NS, "g");
        element.innerHTML = look;
        element.dataset.id = id;
      }
      element.setAttribute("class", `node ${node.kind} ${node.change ?? ""}`);
      element.style.transform = `translate(${round(x)}px,${round(y)}px)`;
      kept.set(id, [element, look]);
    }
    for (const [id, [element]] of this.elements) if (kept.get(id)?.[0] !== element) element.remove();
    for (const [element] of kept.values()) if (!element.parentNode) this.layers.nodes.append(element);
    this.elements = kept;
  }

  node(node, w, h) {
    const lid = node.kind === "shared" ? 3 : 0, texts = [`<text class="head" y="${lid + (node.sub ? -3 : 4.5)}">${escaped(node.head)}</text>`];
    if (node.sub) texts.push(`<text class="sub" y="${lid + 12}">${escaped(node.sub)}</text>`);
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
    for (const [id, [element]] of this.elements) {
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
  }

  move() {
    const { x, y, k } = this.at;
    this.world.style.transform = `translate(${round(x)}px, ${round(y)}px) scale(${k})`;
    this.svg.classList.toggle("far", k < SHARP);
    if (!this.layout) return;
    const { width: w, height: h } = this.svg.getBoundingClientRect(), { width, height } = this.layout;
    this.minimap.toggleAttribute("hidden", x > -9 && y > -9 && x + width * k < w + 9 && y + height * k < h + 9);
    const seen = { x: -x / k, y: -y / k, width: w / k, height: h / k };
    for (const [name, value] of Object.entries(seen)) this.minimap.lastChild.setAttribute(name, value);
  }

  // The middle of a part of the picture in the middle of the window, at a scale.
  aim(left, top, right, bottom, k) {
    const { width: w, height: h } = this.svg.getBoundingClientRect();
    this.at = { k, x: w / 2 - ((left + right) / 2) * k, y: h / 2 - ((top + bottom) / 2) * k };
    this.move();
  }

  // On paper, all of it.
  paper(isPaper) {
    if (!isPaper) { this.svg.removeAttribute("viewBox"); this.move(); return; }
    this.svg.setAttribute("viewBox", `0 0 ${this.layout.width} ${this.layout.height}`);
    this.world.style.transform = "none";
    this.svg.classList.remove("far");
  }

  // The scale at which so much fits.
  scale(width, height) {
    const box = this.svg.getBoundingClientRect();
    return Math.min(1, (box.width - 40) / Math.max(1, width), (box.height - 40) / Math.max(1, height));
  }

  fit() {
    const { width, height } = this.layout;
    this.aim(0, 0, width, height, this.scale(width, height));
  }

  // All of it, or, where that would be too small to read, its top at the size of its width.
  begin() {
    this.fit();
    if (this.at.k > 0.3) return;
    const { width } = this.layout, { height: h } = this.svg.getBoundingClientRect(), k = Math.max(0.3, this.scale(width, 0));
    this.aim(0, 0, width, Math.min(this.layout.height, (h - 40) / k), k);
  }

  show(ids, least = 0.7) {
    const boxes = ids.map((id) => this.layout.nodes[id] ?? this.layout.frames[id]).filter(Boolean);
    if (!boxes.length) return;
    const end = (pick, n, sign) => pick(...boxes.map((b) => b[n] + (sign * b[n + 2]) / 2));
    const [left, top, right, bottom] = [end(Math.min, 0, -1), end(Math.min, 1, -1), end(Math.max, 0, 1), end(Math.max, 1, 1)];
    this.aim(left, top, right, bottom, Math.min(this.scale(right - left + 40, bottom - top + 40), Math.max(this.at.k, least)));
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
      this.zoom(Math.exp(-e.deltaY * 0.0015), e.clientX - box.left, e.clientY - box.top);
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
      const { x, y } = new DOMPoint(e.clientX, e.clientY).matrixTransform(this.minimap.getScreenCTM().inverse());
      this.aim(x, y, x, y, this.at.k);
    });
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
