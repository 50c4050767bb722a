// A layered layout, as in the Python package: ranks, chains of bends shared by the edges of one
// source, orders with few crossings, positions by network simplex. Sugiyama et al. 1981; Gansner et
// al. 1993. No DOM here: the same text runs in a worker.
"use strict";

const GAP_ALONG = 18, GAP_BEND = 10, GAP_ACROSS = 30, SWEEPS = 8, WORK = 6e6;

// nodes: [{w, h, hint?}]; edges: [[source, target]]. Gives {x, y, width, height, routes}, centres
// of nodes, and for each edge its points from source to target (null for a self-loop).
function layered(nodes, edges) {
  const count = nodes.length;
  if (!count) return { x: [], y: [], width: 0, height: 0, routes: [] };
  const links = acyclic(count, edges);
  const rank = ranks(nodes, links);
  const grid = withBends(nodes, rank, links);
  order(grid, nodes);
  const along = positions(grid);
  return placed(nodes, grid, along, edges, links);
}

// Edges as [source, target, turned]; those that would close a cycle are turned.
function acyclic(count, edges) {
  const out = lists(count), state = new Uint8Array(count), turned = new Uint8Array(edges.length);
  edges.forEach(([s, t], e) => { if (s !== t) out[s].push([t, e]); });
  for (let root = 0; root < count; root++) {
    if (state[root]) continue;
    const stack = [[root, 0]];
    state[root] = 1;
    while (stack.length) {
      const top = stack[stack.length - 1];
      if (top[1] === out[top[0]].length) { state[top[0]] = 2; stack.pop(); continue; }
      const [next, e] = out[top[0]][top[1]++];
      if (state[next] === 1) turned[e] = 1;
      else if (!state[next]) { state[next] = 1; stack.push([next, 0]); }
    }
  }
  return edges.map(([s, t], e) => s === t ? null : turned[e] ? [t, s, 1] : [s, t, 0]);
}

function lists(count) { return Array.from({ length: count }, () => []); }

// Longest paths, then the least total length of edges; stubs of frames outermost.
function ranks(nodes, links) {
  const real = links.filter(Boolean), out = lists(nodes.length), missing = nodes.map(() => 0), rank = nodes.map(() => 0);
  for (const [s, t] of real) { out[s].push(t); missing[t]++; }
  const ready = [...rank.keys()].filter((n) => !missing[n]);
  for (const n of ready)
    for (const t of out[n]) {
      rank[t] = Math.max(rank[t], rank[n] + 1);
      if (!--missing[t]) ready.push(t);
    }
  shorten(rank, real.map(([s, t]) => [s, t, 1, 1]));
  const free = rank.filter((_, n) => !nodes[n].pin), low = least(free), high = most(free);
  const found = rank.map((r, n) => (nodes[n].pin && free.length ? (nodes[n].pin < 0 ? low - 1 : high + 1) : r)), top = least(found);
  return found.map((r) => r - top);
}

// Layers of places: nodes first, then bends, one for each layer that a source's edges pass.
function withBends(nodes, rank, links) {
  const place = { rank: Array.from(rank), size: nodes.map((n) => n.w), isBend: nodes.map(() => 0) };
  const ups = lists(nodes.length), downs = lists(nodes.length), chains = [], far = new Map();
  const join = (a, b) => { if (!downs[a].includes(b)) { downs[a].push(b); ups[b].push(a); } };
  for (const link of links) {
    if (!link) { chains.push(null); continue; }
    const [s, t] = link, chain = [s];
    let last = s;
    for (let r = rank[s] + 1; r < rank[t]; r++) {
      const key = s * 65536 + r;
      let bend = far.get(key);
      if (bend === undefined) {
        bend = place.rank.length;
        far.set(key, bend);
        place.rank.push(r); place.size.push(0); place.isBend.push(1);
        ups.push([]); downs.push([]);
      }
      join(last, bend);
      chain.push(bend);
      last = bend;
    }
    join(last, t);
    chain.push(t);
    chains.push(chain);
  }
  const layers = lists(place.rank.reduce((a, b) => Math.max(a, b), 0) + 1);
  return { ...place, ups, downs, chains, layers, at: new Int32Array(place.rank.length) };
}

// Orders of the layers: from above and from below by barycentres, neighbours exchanged where that
// helps; the best order found is kept.
function order(grid, nodes) {
  const { layers, rank, ups, downs, at } = grid, total = rank.length;
  const seen = new Uint8Array(total);
  for (const start of nodes.keys()) {
    const stack = [start];
    while (stack.length) {
      const p = stack.pop();
      if (seen[p]) continue;
      seen[p] = 1;
      layers[rank[p]].push(p);
      for (let k = downs[p].length - 1; k >= 0; k--) stack.push(downs[p][k]);
      for (const q of ups[p]) if (!seen[q]) stack.push(q);
    }
  }
  const number = (layer) => layer.forEach((p, k) => { at[p] = k; });
  if (nodes.some((n) => n.hint !== undefined)) {
    const hint = (p) => nodes[p]?.hint ?? mean(ups[p].concat(downs[p]).map((q) => nodes[q]?.hint).filter((h) => h !== undefined)) ?? 0;
    layers.forEach((layer) => layer.sort((a, b) => hint(a) - hint(b)));
  }
  layers.forEach(number);
  let best = layers.map((l) => l.slice()), fewest = crossings(grid);
  for (let sweep = 0; sweep < SWEEPS && fewest; sweep++) {
    const isDown = sweep % 2 === 0;
    const indices = layers.map((_, k) => k);
    if (!isDown) indices.reverse();
    for (const k of indices) {
      const near = isDown ? ups : downs;
      const weight = new Map(layers[k].map((p) => [p, mean(near[p].map((q) => at[q])) ?? at[p]]));
      layers[k].sort((a, b) => weight.get(a) - weight.get(b) || at[a] - at[b]);
      number(layers[k]);
    }
    if (total < 6000) exchange(grid);
    const now = crossings(grid);
    if (now < fewest) { fewest = now; best = layers.map((l) => l.slice()); }
  }
  best.forEach((layer, k) => { layers[k] = layer; number(layer); });
}

function least(values) { return values.reduce((a, b) => Math.min(a, b), Infinity); }

function most(values) { return values.reduce((a, b) => Math.max(a, b), -Infinity); }

function mean(values) {
  if (!values.length) return undefined;
  let sum = 0;
  for (const v of values) sum += v;
  return sum / values.length;
}

function crossings(grid) {
  let total = 0;
  for (let k = 0; k + 1 < grid.layers.length; k++) total += between(grid, k);
  return total;
}

// Crossings of the edges below layer k: inversions, counted in a Fenwick tree.
function between(grid, k) {
  const { layers, downs, at } = grid, size = layers[k + 1].length + 1, tree = new Int32Array(size + 1);
  let total = 0, entered = 0;
  for (const p of layers[k]) {
    const ends = downs[p].map((q) => at[q]).sort((a, b) => a - b);
    for (const e of ends) {
      let before = 0;
      for (let i = e + 1; i > 0; i -= i & -i) before += tree[i];
      total += entered - before;
    }
    for (const e of ends) { entered++; for (let i = e + 1; i <= size; i += i & -i) tree[i]++; }
  }
  return total;
}

function exchange(grid) {
  const { layers, ups, downs, at } = grid;
  for (let turn = 0, moved = true; moved && turn < 4; turn++) {
    moved = false;
    for (const layer of layers)
      for (let k = 0; k + 1 < layer.length; k++) {
        const a = layer[k], b = layer[k + 1];
        const now = pair(ups[a], ups[b], at) + pair(downs[a], downs[b], at);
        const then = pair(ups[b], ups[a], at) + pair(downs[b], downs[a], at);
        if (then < now) {
          layer[k] = b; layer[k + 1] = a; at[b] = k; at[a] = k + 1;
          moved = true;
        }
      }
  }
}

function pair(left, right, at) {
  let total = 0;
  for (const p of left) for (const q of right) if (at[p] > at[q]) total++;
  return total;
}

// Positions along the layers: each place near its neighbours, then lines as short as can be.
function positions(grid) {
  const { layers, rank, size, isBend, ups, downs, at } = grid, x = Array.from(rank, () => 0);
  const apart = (p, q) => Math.ceil((size[p] + size[q]) / 2) + (isBend[p] || isBend[q] ? GAP_BEND : GAP_ALONG);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const near = sweep % 2 ? downs : ups;
    for (const layer of sweep % 2 ? layers.slice().reverse() : layers)
      settle(layer, x, (p) => mean(near[p].map((q) => x[q])) ?? x[p], apart);
  }
  x.forEach((v, p) => { x[p] = Math.round(v); });
  const links = [];
  for (const layer of layers) layer.slice(1).forEach((p, k) => links.push([layer[k], p, 0, apart(layer[k], p)]));
  ups.forEach((some, q) => some.slice().sort((a, b) => at[a] - at[b]).forEach((p, k) => {
    const weight = [1, 2, 8][isBend[p] + isBend[q]], offset = isBend[q] ? 0 : Math.round(portGap(size[q], some.length) * (k - (some.length - 1) / 2));
    links.push([x.length, p, weight, 0], [x.length, q, weight, -offset]);
    x.push(Math.min(x[p], x[q] + offset));
  }));
  if (links.length < WORK / 500) shorten(x, links);
  return x.slice(0, rank.length);
}

// The places of a layer as near to where they want to be as their distances let them, in squares:
// pools of those that push each other (Ayer et al. 1955).
function settle(layer, x, want, apart) {
  const pools = [];
  let offset = 0;
  layer.forEach((p, k) => {
    if (k) offset += apart(layer[k - 1], p);
    let pool = { sum: want(p) - offset, some: [[p, offset]] };
    while (pools.length && pools[pools.length - 1].sum / pools[pools.length - 1].some.length >= pool.sum / pool.some.length) {
      const left = pools.pop();
      pool = { sum: left.sum + pool.sum, some: left.some.concat(pool.some) };
    }
    pools.push(pool);
  });
  for (const { sum, some } of pools) for (const [p, at] of some) x[p] = at + sum / some.length;
}

// Network simplex (Gansner et al. 1993): of all x with x[b] - x[a] >= least, for links [a, b,
// weight, least], one whose weighted length is least, or what is best when the work is used up.
function shorten(x, links) {
  const count = x.length, tree = lists(count), near = lists(count), pull = new Float64Array(count), parent = Array(count);
  const slack = ([a, b, , least]) => x[b] - x[a] - least, other = (link, p) => (link[0] === p ? link[1] : link[0]);
  for (const link of links) {
    near[link[0]].push(link); near[link[1]].push(link);
    pull[link[0]] += link[2]; pull[link[1]] -= link[2];
  }
  // A tree of links without slack: from each root, the part that is done moves to its nearest link.
  const done = new Uint8Array(count), part = [], roots = [];
  const grow = (from) => {
    done[from] = 1;
    for (let k = part.push(from) - 1; k < part.length; k++)
      for (const link of near[part[k]]) if (!done[other(link, part[k])] && !slack(link)) plant(link, part[k]);
  };
  const plant = (link, from) => {
    const to = other(link, from);
    tree[from].push(link); tree[to].push(link);
    done[to] = 1;
    part.push(to);
  };
  for (let root = 0; root < count; root++) {
    if (done[root]) continue;
    roots.push(root);
    grow(root);
    for (;;) {
      let best = null;
      for (const link of links) if (done[link[0]] !== done[link[1]] && (!best || slack(link) < slack(best))) best = link;
      if (!best) break;
      const from = best[done[best[0]] ? 0 : 1], by = done[best[0]] ? slack(best) : -slack(best);
      for (const p of part) x[p] += by;
      plant(best, from);
      grow(part.pop());
    }
  }
  const first = new Int32Array(count), size = new Int32Array(count), sum = new Float64Array(count);
  for (let left = WORK / (count + links.length); left > 0; left--) {
    const order = [], stack = roots.slice();
    while (stack.length) {
      const p = stack.pop();
      first[p] = order.push(p) - 1;
      for (const link of tree[p]) if (link !== parent[p]) { const q = other(link, p); parent[q] = link; stack.push(q); }
    }
    size.fill(1);
    sum.set(pull);
    let out = -1, least = 0;
    for (const p of order.reverse()) {
      if (!parent[p]) continue;
      const up = other(parent[p], p), cut = parent[p][0] === p ? sum[p] : -sum[p];
      size[up] += size[p];
      sum[up] += sum[p];
      if (cut < least) { least = cut; out = p; }
    }
    if (out < 0) return;
    const leaving = parent[out], inner = leaving[0] === out ? 1 : 0, from = first[out], to = from + size[out];
    let best = null, room = Infinity;
    for (const link of links) {
      const p = first[link[inner]], q = first[link[1 - inner]];
      if (p < from || p >= to || (q >= from && q < to) || slack(link) >= room) continue;
      best = link;
      room = slack(link);
    }
    for (let k = from; k < to; k++) x[order[count - 1 - k]] += inner ? -room : room;
    for (const p of [leaving[0], leaving[1]]) tree[p].splice(tree[p].indexOf(leaving), 1);
    for (const p of [best[0], best[1]]) tree[p].push(best);
    parent.fill(undefined);
  }
}

function placed(nodes, grid, along, edges, links) {
  const { layers, rank, chains } = grid;
  const heights = layers.map((l) => Math.max(0, ...l.map((p) => nodes[p]?.h ?? 0)));
  const gaps = layers.map((l) => {
    let far = 0;
    for (const p of l) for (const q of grid.downs[p]) far = Math.max(far, Math.abs(along[p] - along[q]));
    return GAP_ACROSS + Math.min(far / 18, 44);
  });
  const middle = [];
  let y = 0;
  heights.forEach((h, k) => { middle.push(y + h / 2); y += h + (k + 1 < heights.length ? gaps[k] : 0); });
  const left = least(along.map((x, p) => x - grid.size[p] / 2));
  const right = most(along.map((x, p) => x + grid.size[p] / 2));
  const x = along.map((v) => v - left);
  const ends = ports(nodes, chains, x);
  const routes = chains.map((chain, e) => {
    if (!chain) return null;
    const points = chain.map((p, k) => {
      const band = heights[rank[p]] / 2, own = (nodes[p]?.h ?? 0) / 2, mid = middle[rank[p]];
      if (k === 0) return [x[p], mid + own, mid + band];
      if (k === chain.length - 1) return [ends[e], mid - band, mid - own];
      return [x[p], mid - band, mid + band];
    });
    return links[e][2] ? points.reverse().map(([a, b, c]) => [a, c, b]) : points;
  });
  return {
    x: nodes.map((_, n) => x[n]), y: nodes.map((_, n) => middle[rank[n]]),
    width: right - left, height: y, routes,
  };
}

function portGap(width, count) { return Math.min(14, (width - 8) / count); }

// Where edges arrive: side by side, in the order in which they come.
function ports(nodes, chains, x) {
  const into = new Map();
  chains.forEach((chain, e) => {
    if (!chain) return;
    const target = chain[chain.length - 1];
    if (!into.has(target)) into.set(target, []);
    into.get(target).push([x[chain[chain.length - 2]], e]);
  });
  const found = new Float64Array(chains.length);
  for (const [target, some] of into) {
    some.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const gap = portGap(nodes[target].w, some.length);
    some.forEach(([, e], k) => { found[e] = x[target] + (k - (some.length - 1) / 2) * gap; });
  }
  return found;
}
