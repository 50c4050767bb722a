// The panes beside the picture: steps, the step, the node, source, kernels, memory. Each is a
// function of the page's state to HTML; what can be clicked carries data-step, -node, -line, ...
const NOISE = new Set(["canonicalize", "simplify"]);

function isNoise(step) { return step.kind === 1 && NOISE.has(step.table); }

function below(title, body) { return body ? `<h4>${title}</h4>${body}` : ""; }

function listed(facts) {
  return `<dl>${facts.filter((f) => f[1]).map(([k, v]) => `<dt>${escaped(k)}</dt><dd>${escaped(v)}</dd>`).join("")}</dl>`;
}

function numbered(number, text, attributes = "") { return `<span${attributes}><i>${number}</i>${text}\n</span>`; }

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
      const name = escaped(step.rule.name), count = (how, sign, some) => (some.length ? `<b class="${how}">${sign}${some.length}</b>` : "");
      rows.push(`<a href="#" data-step="${k}" title="${name}"><i>${k}</i><span>${name}</span>${count("new", "+", step.added)}${count("old", "−", step.removed)}</a>`);
    });
    return rows.join("");
  }

  step(state) {
    const step = this.model.steps[state.step], { name, why, source, changes } = step.rule, { added, removed, text, table, stage } = step;
    return `<h2>${escaped(name)}</h2>` +
      (step.kind === 1 ? `<p class="where">step ${state.step} · ${escaped(table)}, stage ${escaped(stage)}</p>` : `<p>${added.length} nodes.</p>`) +
      (text ? `<div class="change"><code class="old">${escaped(text[0])}</code><span>becomes</span><code class="new">${escaped(text[1])}</code></div>` : "") +
      below("Why", escaped(why)) + below("What changes", escaped(changes)) + below("On whose word", escaped(source)) +
      below("Your line", this.lineText(step.line) && this.ownLines([step.line])) +
      (step.kind ? this.chips("New", added, "new") + this.chips("Gone", removed, "old") : "");
  }

  chip(n, how = "") {
    const node = this.model.nodes[n], text = this.model.kind(n) === "op" ? node.op : node.text;
    return `<a href="#" class="chip ${how}" data-node="${n}">${escaped(text)}</a>`;
  }

  chips(title, numbers, how) {
    const more = numbers.length > 40 ? ` and ${numbers.length - 40} more` : "";
    return below(title, numbers.length && `<p class="chips">${numbers.slice(0, 40).map((n) => this.chip(n, how)).join("")}${more}</p>`);
  }

  node(state) {
    const n = state.number;
    if (n === null) return `<p class="hint">Click a node to see where it came from and what became of it.</p>`;
    const { model } = this, node = model.nodes[n], isOp = model.kind(n) === "op", kernel = model.kernelOf.get(n);
    const facts = [["type", node.type], ["name", node.name], ["attributes", isOp ? node.text : ""]];
    for (const heat of Object.values(this.data.heat)) if (heat.of[n] !== undefined) facts.push([heat.title, heat.texts[n] ?? `${heat.of[n].toPrecision(3)} ${heat.unit}`]);
    return `<h2>${escaped(isOp ? node.op : node.text)}</h2>` + listed(facts) +
      this.chips("Reads", model.inputs[n] ?? []) + this.chips("Read by", state.users) +
      below("Your lines", this.ownLines(state.lines)) +
      below("Computed in", kernel !== undefined && `<p><a href="#" data-kernel="${kernel}">${escaped(this.data.kernels[kernel].name)}</a></p>`) +
      below("History", model.history(n).map(([k, what]) => `<p><a href="#" data-step="${k}">step ${k}</a>: ${what} by ${escaped(model.steps[k].rule.name)}</p>`).join(""));
  }

  source(state) {
    if (!this.data.files.length) return `<p class="hint">No line is known.</p>`;
    const marked = new Map(this.data.lines.map(([f, n], k) => [`${f}:${n}`, k]));
    return this.lineKernels(state) + this.data.files.map(({ name, first, text }, f) => {
      const rows = text.map((line, k) => {
        const index = marked.get(`${f}:${first + k}`);
        const cost = index === undefined ? undefined : state.lineHeat?.(index);
        const bar = cost ? `<s style="width:${Math.max(2, 60 * cost)}px"></s>` : "";
        const link = index === undefined ? "" : ` data-line="${index}" class="known${state.lines.has(index) ? " here" : ""}"`;
        return numbered(first + k, bar + escaped(line), link);
      });
      return `<h4>${escaped(name)}</h4><pre class="code">${rows.join("")}</pre>`;
    }).join("");
  }

  kernel(state) {
    const { kernels } = this.data;
    if (!kernels.length) return `<p class="hint">No kernel: the function was not compiled.</p>`;
    const kernel = kernels[state.kernel], kind = kernel.sources[state.code] === undefined ? Object.keys(kernel.sources)[0] : state.code;
    const names = { py: "Python", ir: "loops", llvm: "LLVM", asm: "assembly" };
    const list = kernels.map((k, n) => `<option value="${n}">${escaped(k.name)}</option>`).join("");
    const tabs = Object.keys(kernel.sources).map((k) => `<button data-code="${k}" class="${k === kind ? "here" : ""}">${names[k] ?? k}</button>`).join("");
    return `<p><select data-set="kernel" aria-label="kernel">${list}</select></p>` +
      this.chips("Stores", kernel.nodes) +
      listed([["moves", kernel.bytes && `${kernel.bytes} bytes`], ["computes", kernel.flops && `${kernel.flops} operations`]]) +
      kernel.notes.map((n) => `<p>${escaped(n)}</p>`).join("") +
      `<p>${kernel.lines.map((l) => this.lineLink(l)).join(", ")}</p>${this.ownLines(state.lines)}<p class="tabs">${tabs}</p>` +
      `<pre class="code">${this.code(kernel, kind, state)}</pre>`;
  }

  // Lines of the program, as they stand there.
  ownLines(lines) {
    return [...lines].slice(0, 4).map((l) => `<pre class="line">${this.lineLink(l)}\n${escaped(this.lineText(l).text.trim())}</pre>`).join("");
  }

  // The kernels that compute the chosen lines.
  lineKernels(state) {
    const found = this.data.kernels.map((k, n) => [k, n]).filter(([k]) => k.lines.some((l) => state.lines.has(l)));
    return found.length ? `<p class="chips">computed in ${found.map(([k, n]) => `<a href="#" class="chip" data-kernel="${n}">${escaped(k.name)}</a>`).join(" ")}</p>` : "";
  }

  // Source of a kernel; each line leads to those of the program that it computes.
  code(kernel, kind, state) {
    const places = [], runs = kernel.at[kind];
    for (let k = 0; k < runs.length; k += 2) for (let n = runs[k]; n; n--) places.push(this.data.places[runs[k + 1]]);
    return kernel.sources[kind].split("\n").map((line, k) => {
      const own = places[k] ?? [], here = own.some((l) => state.lines.has(l)) ? " here" : "";
      return numbered(k + 1, escaped(line), own.length ? ` data-line="${own[0]}" class="known${here}"` : "");
    }).join("");
  }

  memory(state) {
    const { buffers, program } = this.data;
    const shown = buffers.filter((b) => b.role === "temporary");
    if (!shown.length) return `<p class="hint">No temporary memory: everything is computed into the results.</p>`;
    let step = -1;
    const listing = program.map((p) => numbered(p.startsWith(" ") ? "" : ++step, escaped(p))).join("");
    const slots = [...new Set(shown.map((b) => b.slot))].sort((a, b) => a - b), share = (steps) => `${(100 * steps) / (step + 1)}%`;
    const rows = slots.map((s) => `<dt>${s >= 0 ? escaped(this.data.slots[s] ?? "") : "own"} B</dt><dd>${shown.filter((b) => b.slot === s).map((b) =>
      `<a href="#" class="${b.node === state.number ? "here" : ""}"${b.node >= 0 ? ` data-node="${b.node}"` : ""} style="left:${share(b.first)};width:${share(b.last - b.first + 1)}" title="${escaped(`${b.name}: ${b.type}, steps ${b.first} to ${b.last}`)}">${escaped(b.name)}</a>`).join("")}</dd>`);
    return `<p>A row is a piece of memory; a bar, a temporary that lives in it for some steps.</p>` +
      `<dl class="memory"><dt></dt><dd><i>step 0</i><i>step ${step}</i></dd>${rows.join("")}</dl>` +
      `<h4>Program</h4><pre class="code">${listing}</pre>`;
  }
}
