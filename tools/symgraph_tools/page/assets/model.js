// The graph at any step, from the differences of the trace, and the part of it that is shown.
// A node keeps its number through all steps. No DOM here.
"use strict";

const HOLE = "_";
const NUMBERS = new Set(["dim", "constant"]);

class Model {
  constructor(data) {
    this.data = data;
    this.nodes = data.nodes.map(([op, inputs, type, text, name, lines, bodies, isSmall]) => ({
      op: data.words[op], inputs, type: data.words[type], text: data.words[text],
      name: data.words[name], lines, bodies, isSmall: isSmall && NUMBERS.has(data.words[op]),
    }));
    this.steps = data.steps.map(([kind, stage, table, rule, before, after, line, added, removed, inputs, graphs, text]) => ({
      kind, stage: data.words[stage], table: data.words[table], rule: data.rules[rule],
      before, after, line, added, removed, inputs, graphs, text,
    }));
    this.reset();
  }

  reset() {
    this.step = -1;
    this.inputs = this.nodes.map((n) => n.inputs);
    this.ends = new Map([[0, [[], []]]]);
    this.undo = [];
  }

  // Steps at which a node came, changed or went.
  history(n) {
    return this.steps.flatMap((s, k) => (s.added.includes(n) ? [[k, "made"]] : s.removed.includes(n) ? [[k, "gone"]] : s.before === n ? [[k, "rewritten"]] : []));
  }

  go(step) {
    while (this.step > step) {
      for (const [n, old] of this.undo.pop().reverse()) {
        if (n >= 0) this.inputs[n] = old;
        else if (old) this.ends.set(-1 - n, old);
        else this.ends.delete(-1 - n);
      }
      this.step--;
    }
    while (this.step < step) {
      const { inputs, graphs } = this.steps[++this.step], undo = [];
      for (const [n, ...to] of inputs) { undo.push([n, this.inputs[n]]); this.inputs[n] = to; }
      for (const [g, params, outputs] of graphs) {
        undo.push([-1 - g, this.ends.get(g)]);
        this.ends.set(g, [params, outputs]);
      }
      this.undo.push(undo);
    }
  }

  // Numbers of a graph and what they read, inputs first; bodies are not entered.
  reach(graph) {
    const [params, outputs] = this.ends.get(graph) ?? [[], []], order = [], seen = new Set();
    const stack = [...params, ...outputs].reverse().map((n) => [n, false]);
    while (stack.length) {
      const [n, isDone] = stack.pop();
      if (isDone) { order.push(n); continue; }
      if (seen.has(n)) continue;
      seen.add(n);
      stack.push([n, true]);
      for (const i of this.inputs[n]) if (!seen.has(i)) stack.push([i, false]);
    }
    return order;
  }

  kind(n) {
    const op = this.nodes[n].op;
    return op === "input" || op === "param" ? "input" : op === "shared" ? "shared" : NUMBERS.has(op) ? "constant" : "op";
  }

  // What a person calls it: a leaf by name, an op with the numbers that it reads.
  head(n, inputs) {
    const node = this.nodes[n];
    if (this.kind(n) !== "op") return node.text;
    if (node.op === "proj") return `result ${node.text.replace("index=", "")}`;
    const parts = inputs.map((i) => (this.nodes[i].isSmall ? this.nodes[i].text : HOLE));
    if (parts.every((p) => p === HOLE)) return node.op;
    const sign = this.data.infix[node.op];
    return sign && parts.length === 2 ? `${parts[0]} ${sign} ${parts[1]}` : `${node.op}(${parts.join(", ")})`;
  }

  isHidden(n, hide) { return [...hide].some((kind) => this.data.hidden[kind]?.includes(this.nodes[n].op)); }

  // The nodes and edges of one graph as they are drawn; `state` is now, or before this step.
  part(graph, prefix, options) {
    const shown = new Map(), edges = [], through = new Map();
    const resolve = (n) => {
      while (this.isHidden(n, options.hide) && !NUMBERS.has(this.nodes[n].op)) n = this.inputs[n][0];
      return this.nodes[n].isSmall || this.isHidden(n, options.hide) ? -1 : n;
    };
    for (const n of this.reach(graph)) {
      if (resolve(n) !== n) continue;
      const id = prefix + n, reads = this.inputs[n];
      shown.set(n, { id, node: n, kind: this.kind(n), head: this.head(n, reads), bodies: this.nodes[n].bodies });
      reads.forEach((i, port) => {
        const from = resolve(i);
        if (from >= 0) edges.push({ id: `${id}:${port}`, s: prefix + from, t: id, port, read: i });
      });
      through.set(n, id);
    }
    const [, outputs] = this.ends.get(graph) ?? [[], []];
    const ends = outputs.map((n, k) => [resolve(n), k]).filter(([n]) => n >= 0);
    return { nodes: [...shown.values()], edges, ends };
  }

  // Everything at this step, with outputs as nodes of their own, and bodies that are open inside.
  whole(options) {
    const top = this.part(0, "", options);
    for (const [n, k] of top.ends) {
      const id = `out${k}`;
      top.nodes.push({ id, node: n, kind: "output", head: this.data.outputs[k] ?? `output ${k}`, bodies: [] });
      top.edges.push({ id: `${id}:0`, s: `${n}`, t: id, port: 0, read: n });
    }
    this.open(top, options);
    return top;
  }

  open(part, options) {
    for (const node of part.nodes) {
      if (!node.bodies.length || !options.open(node.id)) continue;
      const inside = { nodes: [], edges: [] };
      node.bodies.forEach((graph, b) => {
        const prefix = `${node.id}/${b}.`, body = this.part(graph, prefix, options);
        for (const [n, k] of body.ends) {
          const id = `${prefix}out${k}`;
          body.nodes.push({ id, node: n, kind: "output", head: `result ${k}`, bodies: [] });
          body.edges.push({ id: `${id}:0`, s: prefix + n, t: id, port: 0, read: n });
        }
        this.open(body, options);
        inside.nodes.push(...body.nodes);
        inside.edges.push(...body.edges);
      });
      node.inside = { nodes: inside.nodes };
      part.edges.push(...inside.edges);
      node.label = node.head;
    }
  }
}

// A part with what was there before this step too, as ghosts: what came is "new", what went "old".
function withGhosts(now, before) {
  const flat = (part) => new Map(part.nodes.flatMap((top) => [...every(top)].map((n) => [n.id, n])));
  const known = flat(now), was = flat(before), ends = ({ s, t }) => `${s}>${t}`;
  const drawn = new Set(now.edges.map(ends)), earlier = new Set(before.edges.map(ends));
  for (const [id, node] of known) node.change = !was.has(id) ? "new" : was.get(id).head !== node.head && !node.inside ? "changed" : undefined;
  const place = (part, into) => {
    for (const node of part.nodes) {
      const here = known.get(node.id);
      if (here && node.inside && here.inside) place(node.inside, here.inside);
      if (here) continue;
      into.nodes.push(node);
      for (const inner of every(node)) inner.change = "old";
    }
  };
  place(before, now);
  const present = flat(now);
  for (const edge of now.edges) if (!earlier.has(ends(edge))) edge.change = "new";
  for (const edge of before.edges)
    if (!drawn.has(ends(edge)) && present.has(edge.s) && present.has(edge.t)) now.edges.push({ ...edge, id: `old:${edge.id}`, change: "old" });
  return now;
}
