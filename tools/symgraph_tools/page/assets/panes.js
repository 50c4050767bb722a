// The panes beside the picture: steps, the step, the node, source, kernels, memory. Each is a
// function of the page's state to HTML; what can be clicked carries data-step, -node, -line, ...
"use strict";

const NOISE = new Set(["canonicalize", "simplify"]);

function isNoise(step) { return step.kind === 1 && NOISE.has(step.table); }

function attr(text) { return escaped(text ?? ""); }

class Panes {
  constructor(model) {
    this.model = model;
    this.data = model.data;
  }

  lineText(index) {
    if (index < 0 || index === undefined) return null;
    const [file, number] = this.data.lines[index], { name, first, text } = this.data.files[file];
    return { name, number, text: text[number - first] ?? "" };
  }

  lineLink(index) {
    const line = this.lineText(index);
    return line ? `<a data-line="${index}" href="#">${escaped(line.name)}:${line.number}</a>` : "";
  }

  steps(state) {
    const rows = [];
    let last = "";
    this.model.steps.forEach((step, k) => {
      if (state.quiet && isNoise(step)) return;
      const head = step.kind === 1 ? `${step.stage} · ${step.table}` : step.stage;
      if (head !== last) { rows.push(`<h3>${escaped(head)}</h3>`); last = head; }
      const counts = `${step.added.length ? `<b class="new">+${step.added.length}</b>` : ""} ${step.removed.length ? `<b class="old">−${step.removed.length}</b>` : ""}`;
      rows.push(`<a href="#" data-step="${k}"><i>${k}</i><span>${escaped(step.rule.name)}</span>${counts}</a>`);
    });
    return rows.join("");
  }

  step(state) {
    const step = this.model.steps[state.step], { name, why, source, changes } = step.rule;
    const line = this.lineText(step.line), rows = [`<h2>${escaped(name)}</h2>`];
    if (step.kind === 1) rows.push(`<p class="where">step ${state.step} · ${escaped(step.table)}, stage ${escaped(step.stage)}</p>`);
    if (step.text) {
      const [before, after] = step.text;
      rows.push(`<div class="change"><code class="old">${escaped(before)}</code><span>becomes</span><code class="new">${escaped(after)}</code></div>`);
    }
    if (why) rows.push(`<h4>Why</h4><p>${escaped(why)}</p>`);
    if (changes) rows.push(`<h4>What changes</h4><p>${escaped(changes)}</p>`);
    if (source) rows.push(`<h4>On whose word</h4><p>${escaped(source)}</p>`);
    if (line) rows.push(`<h4>Your line</h4><pre class="line"><a data-line="${step.line}" href="#">${escaped(line.name)}:${line.number}</a>\n${escaped(line.text.trim())}</pre>`);
    const chips = (title, numbers, how) => numbers.length && rows.push(`<h4>${title}</h4><p class="chips">${numbers.slice(0, 40).map((n) => this.chip(n, how)).join(" ")}${numbers.length > 40 ? ` and ${numbers.length - 40} more` : ""}</p>`);
    if (step.kind) { chips("New", step.added, "new"); chips("Gone", step.removed, "old"); }
    else rows.push(`<p>${step.added.length} nodes.</p>`);
    return rows.join("");
  }

  chip(n, how = "") {
    const node = this.model.nodes[n], text = this.model.kind(n) === "op" ? node.op : node.text;
    return `<a href="#" class="chip ${how}" data-node="${n}">${escaped(text)}</a>`;
  }

  node(state) {
    const n = state.number;
    if (n === null) return `<p class="hint">Click a node to see what it is, where it came from and what became of it.</p>`;
    const { model } = this, node = model.nodes[n], rows = [];
    rows.push(`<h2>${escaped(model.kind(n) === "op" ? node.op : node.text)}</h2>`);
    const facts = [["type", node.type], ["name", node.name], ["attributes", model.kind(n) === "op" ? node.text : ""]];
    for (const heat of Object.values(this.data.heat)) if (heat.of[n] !== undefined) facts.push([heat.title, heat.texts?.[n] ?? `${heat.of[n].toPrecision(3)} ${heat.unit}`]);
    rows.push(`<dl>${facts.filter((f) => f[1]).map(([k, v]) => `<dt>${escaped(k)}</dt><dd>${escaped(v)}</dd>`).join("")}</dl>`);
    const reads = model.inputs[n] ?? [];
    if (reads.length) rows.push(`<h4>Reads</h4><p class="chips">${reads.map((i) => this.chip(i)).join(" ")}</p>`);
    const users = state.users.get(n) ?? [];
    if (users.length) rows.push(`<h4>Read by</h4><p class="chips">${users.slice(0, 30).map((i) => this.chip(i)).join(" ")}</p>`);
    if (node.lines.length) rows.push(`<h4>Your lines</h4>${this.ownLines(state)}`);
    const kernel = model.kernelOf.get(n);
    if (kernel !== undefined) rows.push(`<h4>Computed in</h4><p><a href="#" data-kernel="${kernel}">${escaped(this.data.kernels[kernel].name)}</a></p>`);
    const history = model.history.get(n) ?? [];
    if (history.length) rows.push(`<h4>History</h4>${history.map(([k, what]) => `<p><a href="#" data-step="${k}">step ${k}</a>: ${what} by ${escaped(model.steps[k].rule.name)}</p>`).join("")}`);
    return rows.join("");
  }

  source(state) {
    if (!this.data.files.length) return `<p class="hint">No line of a program is known.</p>`;
    const marked = new Map(this.data.lines.map(([f, n], k) => [`${f}:${n}`, k]));
    return this.lineKernels(state) + this.data.files.map(({ name, first, text }, f) => {
      const rows = text.map((line, k) => {
        const index = marked.get(`${f}:${first + k}`);
        const cost = index === undefined ? undefined : state.lineHeat?.(index);
        const bar = cost ? `<s style="width:${Math.max(2, 60 * cost)}px"></s>` : "";
        const link = index === undefined ? "" : ` data-line="${index}" class="known${state.lines.has(index) ? " here" : ""}"`;
        return `<span${link}><i>${first + k}</i>${bar}${escaped(line)}\n</span>`;
      });
      return `<h4>${escaped(name)}</h4><pre class="code">${rows.join("")}</pre>`;
    }).join("");
  }

  kernels(state) {
    const { kernels } = this.data;
    if (!kernels.length) return `<p class="hint">No kernel: the function was not compiled when this page was made.</p>`;
    const chosen = state.kernel ?? 0, kernel = kernels[chosen], kind = kernel.sources[state.code] === undefined ? Object.keys(kernel.sources)[0] : state.code;
    const names = { py: "Python", ir: "loops", llvm: "LLVM", asm: "assembly" };
    const list = kernels.map((k, n) => `<option value="${n}"${n === chosen ? " selected" : ""}>${escaped(k.name)}${k.ns ? ` · ${(k.ns / 1000).toFixed(1)} µs` : ""}</option>`).join("");
    const tabs = Object.keys(kernel.sources).map((k) => `<button data-code="${k}" class="${k === kind ? "here" : ""}">${names[k] ?? k}</button>`).join("");
    const facts = [["moves", kernel.bytes && `${kernel.bytes} bytes`], ["computes", kernel.flops && `${kernel.flops} operations`]].filter((f) => f[1]);
    return `<p><select data-choose="kernel">${list}</select></p>` +
      `<p class="chips">${kernel.nodes.slice(0, 40).map((n) => this.chip(n)).join(" ")}</p>` +
      `<dl>${facts.map(([k, v]) => `<dt>${k}</dt><dd>${escaped(v)}</dd>`).join("")}</dl>` +
      kernel.notes.map((n) => `<p>${escaped(n)}</p>`).join("") +
      `<p>${kernel.lines.map((l) => this.lineLink(l)).join(", ")}</p>${this.ownLines(state)}<p class="tabs">${tabs}</p>` +
      `<pre class="code">${this.code(kernel, kind, state)}</pre>`;
  }

  // The lines of the program that made the chosen node.
  ownLines(state) {
    if (state.number === null) return "";
    return this.model.nodes[state.number].lines.slice(0, 4).map((l) => {
      const { name, number, text } = this.lineText(l);
      return `<pre class="line"><a data-line="${l}" href="#">${escaped(name)}:${number}</a>\n${escaped(text.trim())}</pre>`;
    }).join("");
  }

  // The kernels that compute the chosen lines.
  lineKernels(state) {
    const found = this.data.kernels.map((k, n) => [k, n]).filter(([k]) => k.lines.some((l) => state.lines.has(l)));
    return found.length ? `<p class="chips">computed in ${found.map(([k, n]) => `<a href="#" class="chip" data-kernel="${n}">${escaped(k.name)}</a>`).join(" ")}</p>` : "";
  }

  // Source of a kernel; lines that name a local lead to its node, and to the user's line.
  code(kernel, kind, state) {
    const names = Object.keys(kernel.locals);
    const pattern = names.length ? new RegExp(`\\b(${names.map((n) => n.replace(/[^\w]/g, "\\$&")).join("|")})\\b`) : null;
    return kernel.sources[kind].split("\n").map((line, k) => {
      const match = pattern && (kind === "py" || kind === "ir") ? line.match(pattern) : null;
      const n = match ? kernel.locals[match[1]] : undefined;
      const here = n !== undefined && (n === state.number || this.model.nodes[n].lines.some((l) => state.lines.has(l)));
      const link = n === undefined ? "" : ` data-node="${n}" class="known${here ? " here" : ""}"`;
      return `<span${link}><i>${k + 1}</i>${escaped(line)}\n</span>`;
    }).join("");
  }

  memory(state) {
    const { buffers, program } = this.data;
    const shown = buffers.filter((b) => b.role === "temporary");
    if (!shown.length) return `<p class="hint">No temporary memory: everything is computed into the results.</p>`;
    const steps = Math.max(1, program.length), row = 20, left = 110, width = 250, slots = [...new Set(shown.map((b) => b.slot))].sort((a, b) => a - b);
    const bars = shown.map((b) => {
      const x = left + (b.first / steps) * width, w = Math.max(4, ((b.last - b.first + 1) / steps) * width), y = 24 + slots.indexOf(b.slot) * row;
      return `<g class="bar${b.node === state.number ? " here" : ""}"${b.node >= 0 ? ` data-node="${b.node}"` : ""}><title>${attr(`${b.name}: ${b.type}, steps ${b.first} to ${b.last}`)}</title>` +
        `<rect x="${round(x)}" y="${y}" width="${round(w)}" height="${row - 4}" rx="3"/>${w > 9 * b.name.length ? `<text x="${round(x + 4)}" y="${y + 12}">${escaped(b.name)}</text>` : ""}</g>`;
    });
    const labels = slots.map((s, k) => `<text class="slot" x="0" y="${24 + k * row + 12}">${s >= 0 ? escaped(this.data.slots[s] ?? "") : "own"} B</text>`);
    const height = 30 + slots.length * row;
    return `<p>Each row is a piece of memory, each bar a temporary that lives in it, over the steps of the program.</p>` +
      `<svg class="memory" viewBox="0 0 ${left + width + 10} ${height}" width="${left + width + 10}" height="${height}"><text x="${left}" y="14">step 0</text><text x="${left + width}" y="14" text-anchor="end">step ${steps - 1}</text>${labels.join("")}${bars.join("")}</svg>` +
      `<h4>Program</h4><pre class="code">${program.map((p, k) => `<span><i>${k}</i>${escaped(p)}\n</span>`).join("")}</pre>`;
  }
}
