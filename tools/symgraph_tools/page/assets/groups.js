// Parts of a graph as one box: chains, what one line of the program made, kernels, or, for large
// graphs, whatever brings it to a size that can be read. Boxes open where they are clicked.
const READABLE = 150, LARGEST_TREE = 24;

// Gives the part with groups as nodes: closed ones without an inside, open ones with.
function grouped(part, how, model, isOpen) {
  const makers = { line: byLine, kernel: byKernel, chain: byTree, repeat: byRepeat };
  if (how === "auto") return automatic(part, isOpen);
  return makers[how] ? fold(part, makers[how](part, model), isOpen, how) : part;
}

function automatic(part, isOpen) {
  let level = 0;
  while (part.nodes.length > READABLE && level < 6) {
    const count = part.nodes.length;
    let keys = byTree(part);
    let made = fold(part, keys, isOpen, `t${level}`);
    if (made.nodes.length > 0.7 * count) made = fold(part, byBlock(part), isOpen, `b${level}`);
    if (made.nodes.length >= count) break;
    part = made;
    level++;
  }
  return part;
}

// keys: for each node a group's name or null; groups of one stay what they are.
function fold(part, keys, isOpen, tag) {
  const members = new Map();
  part.nodes.forEach((node, k) => {
    if (keys[k] === null || keys[k] === undefined) return;
    if (!members.has(keys[k])) members.set(keys[k], []);
    members.get(keys[k]).push(node);
  });
  const nodes = [], owner = new Map(), placed = new Set();
  part.nodes.forEach((node, k) => {
    const some = members.get(keys[k]);
    if (!some || some.length < 2) { nodes.push(node); return; }
    if (placed.has(keys[k])) return;
    placed.add(keys[k]);
    const last = some[some.length - 1], id = `${tag}:${last.id}`;
    const changes = new Set(some.map((n) => n.change));
    const group = { id, node: last.node, kind: "group", members: some, bodies: [], head: groupHead(some), label: groupHead(some),
      count: some.reduce((sum, n) => sum + (n.count ?? 1), 0), change: changes.size > 1 ? "changed" : last.change };
    if (isOpen(id)) group.inside = { nodes: some };
    else for (const n of some) for (const inner of every(n)) owner.set(inner.id, id);
    nodes.push(group);
  });
  if (!placed.size) return part;
  const edges = [], seen = new Map();
  for (const edge of part.edges) {
    const s = owner.get(edge.s) ?? edge.s, t = owner.get(edge.t) ?? edge.t;
    if (s === t) continue;
    if (s === edge.s && t === edge.t) { edges.push(edge); continue; }
    const key = `${s}>${t}`, first = seen.get(key);
    if (first) { first.times = (first.times ?? 1) + 1; continue; }
    const made = { ...edge, id: `${tag}${edge.id}`, s, t };
    seen.set(key, made);
    edges.push(made);
  }
  return { ...part, nodes, edges };
}

function groupHead(some) {
  const heads = some.map((n) => n.head);
  for (let period = 1; period <= heads.length / 2 && period <= 12; period++)
    if (heads.length % period === 0 && heads.every((h, k) => h === heads[k % period]))
      return `${period > 1 ? `(${heads.slice(0, period).join(" → ")})` : heads[0]} × ${heads.length / period}`;
  return heads.length > 3 ? `${heads[0]} → … → ${heads[heads.length - 1]}` : heads.join(" → ");
}

const isOperation = (node) => node.kind === "op" || node.kind === "group";

// A node together with what only it reads: trees of at most LARGEST_TREE nodes.
function byTree(part) {
  const out = neighbours(part), size = part.nodes.map(() => 1), root = part.nodes.map((_, k) => k);
  for (let k = part.nodes.length - 1; k >= 0; k--) {
    const users = [...new Set(out[k])];
    if (!isOperation(part.nodes[k]) || users.length !== 1) continue;
    const top = root[users[0]];
    if (!isOperation(part.nodes[users[0]]) || size[top] + size[k] > LARGEST_TREE) continue;
    root[k] = top;
    size[top] += size[k];
  }
  return root.map((r, k) => (isOperation(part.nodes[k]) ? r : null));
}

// Runs of the topological order: always without cycles, and as few as wanted.
function byBlock(part) {
  const operations = part.nodes.filter(isOperation).length, length = Math.max(2, Math.ceil(operations / 60));
  let count = 0;
  return part.nodes.map((n) => (isOperation(n) ? Math.floor(count++ / length) : null));
}

function byLine(part, model) {
  return part.nodes.map((n) => (n.kind === "op" ? model.nodes[n.node].lines[0] ?? null : null));
}

// What a kernel stores, and what only it reads.
function byKernel(part, model) {
  const out = neighbours(part), keys = part.nodes.map((n) => (n.kind === "op" ? model.kernelOf.get(n.node) ?? null : null));
  for (let k = part.nodes.length - 1; k >= 0; k--) {
    const node = part.nodes[k];
    if (keys[k] !== null || node.kind !== "op" || node.bodies.length || model.data.library.includes(model.nodes[node.node].op)) continue;
    const users = new Set(out[k].map((u) => keys[u]));
    if (users.size === 1) [keys[k]] = users;
  }
  return keys;
}

// Neighbouring trees of the same form, as the layers of a network.
function byRepeat(part) {
  const trees = byTree(part), form = new Map();
  part.nodes.forEach((n, k) => { if (trees[k] !== null) form.set(trees[k], (form.get(trees[k]) ?? "") + "|" + n.head); });
  const counts = new Map();
  for (const f of form.values()) counts.set(f, (counts.get(f) ?? 0) + 1);
  return trees.map((t) => (t !== null && counts.get(form.get(t)) > 1 ? t : null));
}

function neighbours(part) {
  const index = new Map(), out = part.nodes.map(() => []);
  part.nodes.forEach((n, k) => { for (const inner of every(n)) index.set(inner.id, k); });
  for (const edge of part.edges) {
    const s = index.get(edge.s), t = index.get(edge.t);
    if (s !== undefined && t !== undefined && s !== t) out[s].push(t);
  }
  return out;
}

// A node, what is in its frame, and what it stands for.
function* every(node) {
  yield node;
  for (const inner of [...(node.inside?.nodes ?? []), ...(node.members ?? [])]) yield* every(inner);
}

// The nodes at most so many edges from one, and the edges between them.
function around(part, id, radius) {
  if (!part.nodes.some((n) => n.id === id)) return part;
  let found = new Set([id]);
  for (; radius; radius--) {
    const more = new Set(found);
    for (const { s, t } of part.edges) { if (found.has(s)) more.add(t); if (found.has(t)) more.add(s); }
    found = more;
  }
  const nodes = part.nodes.filter((n) => found.has(n.id)), inner = new Set(nodes.flatMap((n) => [...every(n)].map((m) => m.id)));
  return { ...part, nodes, edges: part.edges.filter((e) => inner.has(e.s) && inner.has(e.t)) };
}
