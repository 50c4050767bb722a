// A layout of nodes with frames: the inside of each open frame is laid out first, and is then one
// node of its surroundings. Edges that pass a frame's border do so at a place of their own, at the
// top where they come in, at the bottom where they leave. No DOM here.
const PAD = 14, LABEL = 20;

// part: {nodes: [{id, w, h, hint, inside?: part, label?}], edges: [{id, s, t, ...}]}, ends by id;
// an end may be inside a frame. Gives {nodes: {id: [x, y, w, h]}, frames, routes, width, height}.
function layOut(part) {
  const found = { nodes: {}, frames: {}, routes: {} };
  const made = level(part, part.edges, found);
  found.width = made.width;
  found.height = made.height;
  return found;
}

function members(part, map = new Map(), owner = null) {
  for (const node of part.nodes) {
    map.set(node.id, owner ?? node.id);
    if (node.inside) members(node.inside, map, owner ?? node.id);
  }
  return map;
}

function level(part, edges, found) {
  const owner = members(part), index = new Map(part.nodes.map((n, k) => [n.id, k]));
  const inner = new Map(part.nodes.filter((n) => n.inside).map((n) => [n.id, []]));
  const outer = [];
  for (const edge of edges) {
    const s = owner.get(edge.s), t = owner.get(edge.t);
    if (s === t && inner.has(s) && edge.s !== s && edge.t !== s) inner.get(s).push(edge);
    else outer.push({ ...edge, from: s, to: t });
  }
  const nodes = part.nodes.map((n) => ({ ...n })), insides = new Map();
  for (const node of nodes) if (node.inside) insides.set(node.id, frame(node, inner.get(node.id), outer, found));
  const flat = layered(nodes, outer.map((e) => [index.get(e.from), index.get(e.to)]));
  nodes.forEach((node, k) => {
    const box = [flat.x[k], flat.y[k], node.w, node.h];
    const inside = insides.get(node.id);
    if (inside) {
      found.frames[node.id] = box;
      shift(found, inside, box[0] - node.w / 2 + (node.w - inside.width) / 2, box[1] - node.h / 2 + LABEL + PAD);
    } else found.nodes[node.id] = box;
  });
  outer.forEach((edge, k) => {
    let points = flat.routes[k];
    if (!points) return;
    points = joined(points, edge, insides, found);
    found.routes[edge.id] = points;
  });
  return flat;
}

// The inside of a frame, with a stub for each border crossing; gives the frame its size.
function frame(node, edges, outer, found) {
  const stubs = new Map(), within = members(node.inside), extra = [], more = [];
  const stub = (key, pin) => {
    if (!stubs.has(key)) {
      stubs.set(key, key);
      extra.push({ id: key, w: 4, h: 1, pin });
    }
    return key;
  };
  for (const edge of outer) {
    if (edge.from === node.id && within.has(edge.s)) {
      const key = stub(`${node.id}>${edge.s}`, 1);
      if (!more.some((m) => m.id === key)) more.push({ id: key, s: edge.s, t: key });
    }
    if (edge.to === node.id && within.has(edge.t)) {
      const key = stub(`${edge.s}>${node.id}`, -1), id = `${key}>${edge.t}`;
      if (!more.some((m) => m.id === id)) more.push({ id, s: key, t: edge.t });
    }
  }
  const own = { nodes: {}, frames: {}, routes: {} };
  const made = level({ nodes: [...node.inside.nodes, ...extra] }, [...edges, ...more], own);
  own.width = made.width;
  node.w = Math.max(made.width + 2 * PAD, node.labelWidth ?? 0);
  node.h = made.height + 2 * PAD + LABEL;
  own.stubs = stubs;
  return own;
}

function shift(found, inside, dx, dy) {
  for (const kind of ["nodes", "frames"])
    for (const [id, [x, y, w, h]] of Object.entries(inside[kind])) {
      const box = [x + dx, y + dy, w, h];
      if (inside.stubs.has(id)) inside.nodes[id] = box;
      else found[kind][id] = box;
    }
  for (const [id, points] of Object.entries(inside.routes)) {
    const moved = points.map(([x, a, b]) => [x + dx, a + dy, b + dy]);
    inside.routes[id] = moved;
    if (!id.includes(">")) found.routes[id] = moved;
  }
}

// A route outside continued by those inside the frames at its ends.
function joined(points, edge, insides, found) {
  const first = insides.get(edge.from), last = insides.get(edge.to);
  const leaving = first && first.routes[`${edge.from}>${edge.s}`];
  const entering = last && last.routes[`${edge.s}>${edge.to}>${edge.t}`];
  let route = points.slice();
  if (leaving) {
    const out = leaving[leaving.length - 1];
    route = [...leaving.slice(0, -1), [out[0], out[1], route[0][2]], ...route.slice(1)];
  }
  if (entering) {
    const into = entering[0], end = route[route.length - 1];
    route = [...route.slice(0, -1), [into[0], end[1], into[2]], ...entering.slice(1)];
  }
  return route;
}
