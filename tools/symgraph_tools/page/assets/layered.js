// A layered layout, as in the Python package: ranks, chains of bends shared by the edges of one
// source, orders with few crossings, Brandes-Köpf coordinates. Sugiyama et al. 1981; Brandes and
// Köpf 2001. No DOM here: the same text runs in a worker.
"use strict";

const GAP_ALONG = 18, GAP_BEND = 10, GAP_ACROSS = 34, SWEEPS = 8;

// nodes: [{w, h, hint?}]; edges: [[source, target]]. Gives {x, y, width, height, routes}, centres
// of nodes, and for each edge its points from source to target (null for a self-loop).
function layered(nodes, edges) {
  const count = nodes.length;
  if (!count) return { x: [], y: [], width: 0, height: 0, routes: [] };
  const links = acyclic(count, edges);
  const rank = ranks(nodes, links);
  const grid = withBends(nodes, rank, links);
  order(grid, nodes);
  const along = alignAll(grid);
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

// Longest paths, then nodes moved to where their edges are shortest.
function ranks(nodes, links) {
  const count = nodes.length;
  const into = lists(count), out = lists(count), missing = new Int32Array(count);
  for (const link of links) if (link) {
    into[link[1]].push(link[0]); out[link[0]].push(link[1]); missing[link[1]]++;
  }
  const topo = [], rank = new Int32Array(count);
  for (let n = 0; n < count; n++) if (!missing[n]) topo.push(n);
  for (let k = 0; k < topo.length; k++)
    for (const t of out[topo[k]]) {
      rank[t] = Math.max(rank[t], rank[topo[k]] + 1);
      if (!--missing[t]) topo.push(t);
    }
  for (let turn = 0; turn < 3; turn++) {
    for (let k = count - 1; k >= 0; k--) {
      const n = topo[k];
      if (!out[n].length || out[n].length < into[n].length) continue;
      if (out[n].length === into[n].length && turn) continue;
      rank[n] = Math.min(...out[n].map((t) => rank[t])) - 1;
    }
    for (const n of topo)
      if (into[n].length > out[n].length)
        rank[n] = Math.max(...into[n].map((s) => rank[s])) + 1;
  }
  const free = nodes.map((node, n) => (node.pin ? undefined : rank[n])).filter((r) => r !== undefined);
  if (free.length)
    nodes.forEach((node, n) => {
      if (node.pin) rank[n] = node.pin < 0 ? least(free) - 1 : most(free) + 1;
    });
  const top = least(rank);
  return rank.map((r) => r - top);
}

// Layers of places: nodes first, then bends, one for each layer that a source's edges pass.
function withBends(nodes, rank, links) {
  const place = { rank: Array.from(rank), size: nodes.map((n) => n.w), isBend: nodes.map(() => false) };
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
        place.rank.push(r); place.size.push(0); place.isBend.push(true);
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
  const starts = nodes.map((n, k) => k).sort((a, b) => (nodes[a].hint ?? 0) - (nodes[b].hint ?? 0));
  for (const start of starts) {
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
  grid.crossings = fewest;
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

// Brandes and Köpf: four alignments, of which the two medians are averaged.
function alignAll(grid) {
  const conflicts = innerConflicts(grid), found = [];
  for (const down of [true, false])
    for (const right of [true, false]) found.push(alignment(grid, conflicts, down, right));
  const spans = found.map((x) => most(x) - least(x));
  const narrow = spans.indexOf(Math.min(...spans));
  found.forEach((x, k) => {
    const isRight = k % 2 === 0;
    const shift = isRight ? least(found[narrow]) - least(x) : most(found[narrow]) - most(x);
    for (let p = 0; p < x.length; p++) x[p] += shift;
  });
  return grid.rank.map((_, p) => {
    const four = found.map((x) => x[p]).sort((a, b) => a - b);
    return (four[1] + four[2]) / 2;
  });
}

function innerConflicts(grid) {
  const { layers, ups, isBend, at } = grid, found = new Set();
  for (let k = 1; k < layers.length; k++) {
    let low = 0, scan = 0;
    const layer = layers[k], upper = layers[k - 1].length;
    layer.forEach((p, i) => {
      const inner = isBend[p] ? ups[p].find((q) => isBend[q]) : undefined;
      if (inner === undefined && i !== layer.length - 1) return;
      const high = inner === undefined ? upper - 1 : at[inner];
      for (; scan <= i; scan++)
        for (const q of ups[layer[scan]])
          if ((at[q] < low || at[q] > high) && !(isBend[layer[scan]] && isBend[q])) found.add(q * 1e6 + layer[scan]);
      low = high;
    });
  }
  return found;
}

function alignment(grid, conflicts, down, right) {
  const { layers, rank, at, size, isBend } = grid, total = rank.length;
  const near = down ? grid.ups : grid.downs, sign = right ? 1 : -1;
  const root = Array.from({ length: total }, (_, p) => p), next = root.slice();
  const rows = down ? layers : layers.slice().reverse();
  for (const layer of rows) {
    let last = right ? -1 : Infinity;
    const row = right ? layer : layer.slice().reverse();
    for (const p of row) {
      const some = near[p].slice().sort((a, b) => at[a] - at[b]);
      if (!some.length) continue;
      const half = (some.length - 1) / 2, middles = [Math.floor(half), Math.ceil(half)];
      if (!right) middles.reverse();
      for (const m of middles) {
        if (next[p] !== p) break;
        const q = some[m], key = down ? q * 1e6 + p : p * 1e6 + q;
        if (conflicts.has(key) || !(right ? last < at[q] : last > at[q])) continue;
        next[q] = p; root[p] = root[q]; next[p] = root[p]; last = at[q];
      }
    }
  }
  return compacted(grid, rows, root, next, right, sign);
}

// Blocks pushed together: longest paths over the blocks, then each as near to its right as it can.
function compacted(grid, rows, root, next, right, sign) {
  const { layers, rank, at, size, isBend } = grid, total = rank.length;
  const apart = (a, b) => (size[a] + size[b]) / 2 + (isBend[a] || isBend[b] ? GAP_BEND : GAP_ALONG);
  const into = lists(total), out = lists(total), missing = new Int32Array(total);
  for (const layer of layers)
    for (let k = 1; k < layer.length; k++) {
      const a = right ? layer[k - 1] : layer[k], b = right ? layer[k] : layer[k - 1];
      out[root[a]].push([root[b], apart(a, b)]);
      into[root[b]].push([root[a], apart(a, b)]);
      missing[root[b]]++;
    }
  const sequence = [], x = new Float64Array(total);
  for (let p = 0; p < total; p++) if (root[p] === p && !missing[p]) sequence.push(p);
  for (let k = 0; k < sequence.length; k++)
    for (const [b, gap] of out[sequence[k]]) {
      x[b] = Math.max(x[b], x[sequence[k]] + gap);
      if (!--missing[b]) sequence.push(b);
    }
  for (let k = sequence.length - 1; k >= 0; k--) {
    const a = sequence[k];
    if (!out[a].length || !into[a].length && out[a].length > 3) continue;
    let bound = Infinity;
    for (const [b, gap] of out[a]) bound = Math.min(bound, x[b] - gap);
    if (!into[a].length) x[a] = bound;
  }
  return Array.from({ length: total }, (_, p) => sign * x[root[p]]);
}

function placed(nodes, grid, along, edges, links) {
  const { layers, rank, chains } = grid;
  const heights = layers.map((l) => Math.max(0, ...l.map((p) => nodes[p]?.h ?? 0)));
  const gaps = layers.map((l) => {
    let far = 0;
    for (const p of l) for (const q of grid.downs[p]) far = Math.max(far, Math.abs(along[p] - along[q]));
    return GAP_ACROSS + Math.min(far / 14, 60);
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
    width: right - left, height: y, routes, crossings: grid.crossings,
  };
}

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
    const gap = Math.min(14, (nodes[target].w - 8) / some.length);
    some.forEach(([, e], k) => { found[e] = x[target] + (k - (some.length - 1) / 2) * gap; });
  }
  return found;
}
