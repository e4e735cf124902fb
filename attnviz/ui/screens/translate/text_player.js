// A text that grows token by token: for each step what the prediction looked at, what could come next, and, of a beam
// search, what else was tried. All steps are here already, so walking through them asks nobody; another choice of token
// goes to the page, which writes the rest anew.

const TELL_AFTER = 500; // milliseconds after the last step until the page learns of it, for its address
const PLAY_EVERY = 1100;
const WIDEST = 44; // CSS pixels of a cell in the map of all steps
const ROW = [18, 26]; // CSS pixels of its rows, at least and at most; where there are many, lower than what text needs
const TALL = 720; // CSS pixels that a map with many rows may be high
const SLANT = (-52 * Math.PI) / 180;
const NODE = [92, 38]; // CSS pixels from one hypothesis of the beam to the next, across and down

class Growing {
  constructor(parent) {
    this.step = 0;
    this.build();
    parent.append(this.root);
    this.watch = new ResizeObserver(() => this.data && Math.abs(this.picture.clientWidth - this.drawn) > 1 && this.paint());
    this.watch.observe(this.root);
  }

  destroy() {
    this.watch.disconnect();
    clearInterval(this.playing);
    clearTimeout(this.telling);
    this.root.remove();
  }

  update(data, trigger) {
    if (!data) return;
    this.trigger = trigger;
    const theme = readTheme(this.root);
    const redraw = this.data?.picture !== data.picture || this.theme?.name !== theme.name;
    const other = this.data?.path !== data.path;
    this.data = data;
    this.theme = theme;
    this.root.classList.remove("attnviz-growing-busy");
    if (other) {
      this.pause();
      clearTimeout(this.telling);
      this.step = Math.max(0, Math.min(data.steps.length - 1, data.step));
    }
    if (redraw) {
      this.weights = data.strips.map((strip) => decode(strip.weights));
      this.cells = decode(data.map.weights);
      this.write();
      this.paint();
      this.show();
    }
    this.root.dataset.attnvizRun = data.run;
  }

  // The parts -------------------------------------------------------------------------------------------------------

  build() {
    const button = (name, action) => {
      const element = make("button", `attnviz-growing-button ${name}`, { type: "button" });
      element.addEventListener("click", action);
      return element;
    };
    this.back = button("attnviz-growing-back", () => this.go(this.step - 1));
    this.play = button("attnviz-growing-play", () => (this.playing ? this.pause() : this.start()));
    this.next = button("attnviz-growing-next", () => this.go(this.step + 1));
    this.reset = button("attnviz-growing-reset", () => this.ask("reset", Date.now()));
    this.where = make("span", "attnviz-growing-where", { "aria-live": "polite" });
    this.ended = make("span", "attnviz-growing-ended");
    this.chips = make("div", "attnviz-growing-text", { role: "group" });
    this.chips.addEventListener("keydown", (event) => this.key(event));
    this.looks = make("div", "attnviz-growing-looks");
    this.question = make("div", "attnviz-growing-title");
    this.list = make("div", "attnviz-growing-bars", { role: "group" });
    this.list.addEventListener("keydown", (event) => this.barKey(event));
    this.effect = make("div", "attnviz-growing-note");
    this.said = make("div", "attnviz-growing-said");
    this.treeTitle = make("div", "attnviz-growing-title");
    this.treeNote = make("div", "attnviz-growing-note");
    this.tree = make("div", "attnviz-growing-tree", { role: "group" });
    this.beam = make("div", "attnviz-growing-beam", {}, [this.treeTitle, this.tree, this.treeNote]);
    this.mapTitle = make("div", "attnviz-growing-title");
    this.mapNote = make("div", "attnviz-growing-note");
    this.rows = make("div", "attnviz-growing-rows");
    this.picture = make("canvas", "attnviz-growing-canvas", { role: "img" });
    this.mark = make("div", "attnviz-growing-mark");
    this.tip = make("div", "attnviz-tip attnviz-growing-tip", { hidden: true });
    this.frame = make("div", "attnviz-growing-frame", {}, [this.picture, this.mark]);
    this.frame.addEventListener("pointermove", (event) => this.point(event));
    this.frame.addEventListener("pointerleave", () => (this.tip.hidden = true));
    this.frame.addEventListener("click", (event) => this.data.map.steps && this.go(this.cell(event).row));
    this.root = make("div", "attnviz-growing attnviz-figure", {}, [
      make("div", "attnviz-growing-head", {}, [
        make("div", "attnviz-growing-transport", {}, [this.back, this.play, this.next, this.where, this.reset]),
        this.ended,
      ]),
      this.chips,
      make("div", "attnviz-growing-now", {}, [
        this.looks,
        make("div", "attnviz-growing-choices", {}, [this.question, this.list, this.effect]),
        make("div", "attnviz-growing-all", {}, [
          this.mapTitle,
          this.mapNote,
          make("div", "attnviz-growing-map", {}, [this.rows, this.frame]),
        ]),
      ]),
      this.said,
      this.beam,
      this.tip,
    ]);
  }

  ask(what, value) {
    this.pause();
    clearTimeout(this.telling);
    this.root.classList.add("attnviz-growing-busy");
    this.trigger(what, value);
  }

  // Walking ---------------------------------------------------------------------------------------------------------

  go(step, focus = false) {
    const to = Math.max(0, Math.min(this.data.steps.length - 1, step));
    if (to === this.step) return;
    this.step = to;
    this.show();
    if (focus) this.chip(to)?.focus();
    clearTimeout(this.telling);
    if (!this.playing) this.tell();
  }

  /** So that a copied link shows this step; only when the reader has come to rest. */
  tell() {
    this.telling = setTimeout(() => this.trigger("step", this.step), TELL_AFTER);
  }

  start() {
    const last = this.data.steps.length - 1;
    if (this.step === last) this.go(0);
    this.playing = setInterval(() => {
      this.go(this.step + 1);
      if (this.step === last) this.pause();
    }, PLAY_EVERY);
    this.face();
  }

  pause() {
    if (!this.playing) return;
    clearInterval(this.playing);
    this.playing = null;
    this.tell();
    this.face();
  }

  /** What the button for growing looks like now. */
  face() {
    const { texts } = this.data;
    this.play.textContent = this.playing ? "❚❚" : "▶";
    this.play.setAttribute("aria-label", this.playing ? texts.pause : texts.play);
    this.play.title = this.playing ? texts.pause : texts.play;
  }

  key(event) {
    const to = { ArrowLeft: this.step - 1, ArrowRight: this.step + 1, Home: 0, End: this.data.steps.length - 1 }[event.key];
    if (to === undefined || !event.target.matches(".attnviz-growing-chip")) return;
    event.preventDefault();
    this.go(to, true);
  }

  barKey(event) {
    const way = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const bars = [...this.list.querySelectorAll("button")];
    bars[Math.max(0, Math.min(bars.length - 1, bars.indexOf(event.target) + way))]?.focus();
  }

  chip(step) {
    return this.chips.querySelector(`[data-step="${step}"]`);
  }

  // What does not change with the step ------------------------------------------------------------------------------

  write() {
    const { data } = this;
    const { texts } = data;
    [[this.back, "‹", texts.back], [this.next, "›", texts.next], [this.reset, texts.reset, texts.reset]].forEach(
      ([button, face, label]) => {
        button.textContent = face;
        button.setAttribute("aria-label", label);
        button.title = label;
      },
    );
    this.face();
    this.reset.hidden = !data.given;
    this.ended.textContent = data.ended;
    this.chips.setAttribute("aria-label", texts.text);
    this.chips.replaceChildren(...data.text.map((item) => this.item(item)));
    this.looks.replaceChildren(...data.strips.map((strip) => this.strip(strip)));
    this.mapTitle.textContent = data.map.title;
    this.mapNote.textContent = data.map.note;
    this.picture.setAttribute("aria-label", data.map.text);
    this.frame.classList.toggle("attnviz-growing-steps", data.map.steps);
    this.rows.replaceChildren(
      ...data.map.rows.map((label, row) => {
        const tag = data.map.steps ? "button" : "span";
        const element = make(tag, "attnviz-growing-row", { title: label, textContent: label });
        if (data.map.steps) {
          element.type = "button";
          element.tabIndex = -1; // the words of the text are the stops of the Tab key
          element.addEventListener("click", () => this.go(row));
        }
        return element;
      }),
    );
    this.beam.hidden = !data.beams.length;
    if (data.beams.length) this.grow();
  }

  /** A word of the text: a step, a word that can be masked instead, or neither. */
  item({ text, joined, special, step, word, given }) {
    const plain = step === null && word === null;
    const name = `attnviz-growing-word${joined ? " attnviz-growing-joined" : ""}${special ? " attnviz-growing-special" : ""}`;
    if (plain) return make("span", `${name} attnviz-growing-before`, { textContent: text });
    const element = make("button", name, { type: "button", textContent: text });
    if (step !== null) {
      element.classList.add("attnviz-growing-chip");
      element.classList.toggle("attnviz-growing-given", given);
      element.dataset.step = step;
      element.title = this.data.steps[step].title;
      element.addEventListener("click", () => this.go(step));
    } else {
      element.title = this.data.texts.mask;
      element.addEventListener("click", () => this.ask("mask", word));
    }
    return element;
  }

  strip(strip) {
    const title = make("div", "attnviz-growing-title", {}, [
      make("span", "", { textContent: strip.title }),
      make("span", "attnviz-growing-quiet", { textContent: ` ${strip.about}` }),
    ]);
    const words = make("div", "attnviz-growing-keys", { role: "img" });
    words.append(
      ...strip.keys.map(({ text, joined, special }) => {
        const parts = [make("span", "attnviz-growing-key-text", { textContent: text }), make("span", "attnviz-growing-key-weight")];
        const name = `attnviz-growing-key${joined ? " attnviz-growing-joined" : ""}${special ? " attnviz-growing-special" : ""}`;
        return make("span", name, {}, parts);
      }),
    );
    return make("div", `attnviz-growing-strip${strip.marked ? " attnviz-growing-marked" : ""}`, {}, [title, words]);
  }

  // What does -------------------------------------------------------------------------------------------------------

  show() {
    const { data, step } = this;
    const now = data.steps[step];
    this.where.textContent = fill(data.texts.where, step + 1, data.steps.length);
    this.back.disabled = step === 0;
    this.next.disabled = step === data.steps.length - 1;
    this.chips.querySelectorAll(".attnviz-growing-chip").forEach((chip) => {
      const place = Number(chip.dataset.step);
      chip.classList.toggle("attnviz-growing-now-chip", place === step);
      chip.classList.toggle("attnviz-growing-later", place > step);
      chip.tabIndex = place === step ? 0 : -1;
      if (place === step) chip.setAttribute("aria-current", "step");
      else chip.removeAttribute("aria-current");
    });
    this.keepInSight(this.chips, this.chip(step));
    data.strips.forEach((strip, place) => this.colour(strip, place));
    this.bars(now);
    this.said.textContent = now.said;
    [...this.rows.children].forEach((row, place) => {
      row.classList.toggle("attnviz-growing-later", data.map.steps && place > step);
      row.classList.toggle("attnviz-growing-now-row", data.map.steps && place === step);
    });
    this.place();
    if (data.beams.length) this.follow();
  }

  /** The words that the prediction looked at, each on the colour of its weight. */
  colour(strip, place) {
    const words = this.looks.children[place].lastChild;
    const count = strip.keys.length;
    const seen = strip.seen[this.step];
    const named = [];
    [...words.children].forEach((word, key) => {
      const weight = this.weights[place][this.step * count + key];
      const gap = strip.keys[key].gap;
      if (gap !== null) word.firstChild.textContent = gap < this.step ? this.data.steps[gap].token : strip.keys[key].text;
      word.hidden = key >= seen;
      if (word.hidden) return;
      const shade = this.shade(weight);
      word.style.backgroundColor = shade.colour;
      word.style.color = shade.text;
      word.lastChild.textContent = number(weight).replace(/^0\./, ".");
      word.title = `${word.firstChild.textContent} ${local(weight.toFixed(4))}`;
      named.push([weight, word.firstChild.textContent]);
    });
    named.sort((one, two) => two[0] - one[0]);
    const strongest = named.slice(0, 4).map(([weight, text]) => `${text} ${number(weight)}`);
    words.setAttribute("aria-label", `${strip.title}: ${strongest.join(", ")}`);
  }

  shade(weight) {
    const scale = this.theme.scale;
    const colour = scale[Math.round(Math.min(1, weight) * (scale.length - 1))];
    const linear = toRgb(colour).map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    return { colour, text: light > 0.18 ? "#14181d" : "#ffffff" };
  }

  bars(now) {
    const { texts } = this.data;
    const focused = [...this.list.children].indexOf(document.activeElement);
    this.question.replaceChildren(
      make("span", "", { textContent: now.question }),
      make("span", "attnviz-growing-quiet", { textContent: ` ${now.after}` }),
    );
    this.list.setAttribute("aria-label", now.question);
    const bars = now.bars.map((bar) => {
      const label = make("span", "attnviz-growing-label", {}, [
        make("span", "attnviz-growing-quiet", { textContent: bar.before }),
        make("span", "attnviz-growing-token", { textContent: bar.text }),
      ]);
      const element = make("button", "attnviz-growing-bar", { type: "button" }, [label, ...this.amount(bar)]);
      element.classList.toggle("attnviz-growing-taken", bar.taken);
      element.classList.toggle("attnviz-growing-cut", !bar.kept);
      element.classList.toggle("attnviz-growing-special", bar.special);
      element.setAttribute("aria-pressed", bar.taken);
      element.setAttribute("aria-label", bar.said);
      element.title = bar.taken ? texts.taken : texts.choose;
      element.addEventListener("click", () => {
        if (bar.taken) this.go(this.step + 1);
        else this.ask("choose", { step: this.step, id: bar.id });
      });
      return element;
    });
    const rest = make("div", "attnviz-growing-bar attnviz-growing-others", { title: now.others.title }, [
      make("span", "attnviz-growing-label", { textContent: now.others.text }),
      ...this.amount(now.others),
    ]);
    this.list.replaceChildren(...bars, rest);
    if (focused >= 0) this.list.children[Math.min(focused, bars.length - 1)]?.focus();
    this.effect.textContent = now.effect;
  }

  /** A hollow bar for what the model says, a filled one for what the method makes of it, and both in numbers. */
  amount({ p, q, numbers }) {
    const track = make("span", "attnviz-growing-track", { "aria-hidden": "true" }, [
      make("span", "attnviz-growing-p"),
      make("span", "attnviz-growing-q"),
    ]);
    track.firstChild.style.width = `${100 * p}%`;
    track.lastChild.style.width = `${100 * q}%`;
    return [track, make("span", "attnviz-growing-numbers", { textContent: numbers })];
  }

  // All steps at once -----------------------------------------------------------------------------------------------

  /** Where rows and columns are in the map. */
  measure() {
    const { rows, keys } = this.data.map;
    const width = this.frame.clientWidth;
    const context = this.picture.getContext("2d");
    context.font = `11px ${this.theme.font}`;
    const labels = keys.map((label) => (Array.from(label).length > 16 ? `${Array.from(label).slice(0, 15).join("")}…` : label));
    const widths = labels.map((label) => context.measureText(label).width);
    const columns = Math.max(1, keys.length);
    const slanted = Math.max(0, ...widths) > Math.min(WIDEST, width / columns) - 3;
    const lean = slanted ? Math.max(0, (widths.at(-1) ?? 0) * Math.cos(SLANT) - 2) : 0;
    const cell = Math.min(WIDEST, (width - lean - 2) / columns);
    const least = Math.min(ROW[0], Math.max(2, Math.floor(TALL / Math.max(1, rows.length))));
    const row = Math.max(least, Math.min(ROW[1], Math.floor(230 / Math.max(1, rows.length))));
    const top = slanted ? Math.ceil(Math.max(...widths) * -Math.sin(SLANT)) + 10 : 20;
    return { width, cell: cell > 4 ? Math.floor(cell) : cell, row, top, labels, slanted };
  }

  paint() {
    const { rows, keys } = this.data.map;
    const shape = (this.shape = this.measure());
    this.drawn = shape.width;
    if (!shape.width) return;
    const ratio = window.devicePixelRatio || 1;
    const height = shape.top + rows.length * shape.row + 1;
    this.rows.style.paddingTop = `${shape.top}px`;
    this.rows.style.setProperty("--attnviz-row", `${shape.row}px`);
    const named = Math.ceil(13 / shape.row);
    [...this.rows.children].forEach((row, place) => (row.style.visibility = place % named ? "hidden" : ""));
    this.picture.width = Math.round(shape.width * ratio);
    this.picture.height = Math.round(height * ratio);
    this.picture.style.height = `${height}px`;
    const context = this.picture.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const gap = Math.min(shape.cell, shape.row) >= 8 ? 1 : 0;
    rows.forEach((_, row) => {
      keys.forEach((_, key) => {
        context.fillStyle = this.shade(this.cells[row * keys.length + key]).colour;
        context.fillRect(key * shape.cell, shape.top + row * shape.row, shape.cell + (gap ? -1 : 0.5), shape.row - gap);
      });
    });
    context.strokeStyle = this.theme.line;
    context.strokeRect(0.5, shape.top - 0.5, keys.length * shape.cell, rows.length * shape.row);
    context.font = `11px ${this.theme.font}`;
    context.fillStyle = this.theme.text;
    context.textBaseline = "middle";
    context.textAlign = shape.slanted ? "left" : "center";
    const every = Math.max(1, Math.ceil(12 / shape.cell));
    for (let key = 0; key < keys.length; key += every) {
      context.save();
      context.translate((key + 0.5) * shape.cell, shape.top - (shape.slanted ? 6 : 9));
      if (shape.slanted) context.rotate(SLANT);
      context.fillText(shape.labels[key], 0, 0);
      context.restore();
    }
    this.place();
  }

  /** The frame around the row of this step; what comes later is still pale. */
  place() {
    const { shape } = this;
    this.mark.hidden = !this.data.map.steps || !shape?.width;
    if (this.mark.hidden) return;
    const rows = this.data.map.rows.length;
    this.mark.style.top = `${shape.top + this.step * shape.row - 1}px`;
    this.mark.style.width = `${this.data.map.keys.length * shape.cell + 1}px`;
    this.mark.style.height = `${shape.row + 1}px`;
    this.mark.style.setProperty("--attnviz-below", `${Math.max(0, rows - this.step - 1) * shape.row}px`);
  }

  cell(event) {
    const box = this.picture.getBoundingClientRect();
    const { shape, data } = this;
    const clamp = (value, count) => Math.max(0, Math.min(count - 1, Math.floor(value)));
    return {
      row: clamp((event.clientY - box.top - shape.top) / shape.row, data.map.rows.length),
      key: clamp((event.clientX - box.left) / shape.cell, data.map.keys.length),
      inside: event.clientY - box.top >= shape.top && event.clientX - box.left < shape.cell * data.map.keys.length,
    };
  }

  point(event) {
    const { row, key, inside } = this.cell(event);
    const { rows, keys } = this.data.map;
    this.tip.hidden = !inside || event.pointerType === "touch";
    if (this.tip.hidden) return;
    this.tip.textContent = `${rows[row]} · ${keys[key]} ${number(this.cells[row * keys.length + key])}`;
    const left = Math.min(event.clientX + 14, window.innerWidth - this.tip.offsetWidth - 8);
    this.tip.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, event.clientY - this.tip.offsetHeight - 10)}px)`;
  }

  // The beam --------------------------------------------------------------------------------------------------------

  grow() {
    const { beams, texts, treeNote, given } = this.data;
    this.treeTitle.textContent = texts.beam;
    this.treeNote.textContent = treeNote;
    const [across, down] = NODE;
    const most = Math.max(...beams.map((column) => column.length));
    const lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    lines.setAttribute("class", "attnviz-growing-lines");
    lines.setAttribute("width", beams.length * across);
    lines.setAttribute("height", most * down);
    lines.setAttribute("aria-hidden", "true");
    const nodes = beams.flatMap((column, place) =>
      column.map((node, row) => {
        if (node.parent !== null) {
          const [x, y, fromY] = [place * across, (row + 0.5) * down, (node.parent + 0.5) * down];
          const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
          line.setAttribute("d", `M${x - 14} ${fromY}C${x - 3} ${fromY} ${x - 11} ${y} ${x} ${y}`);
          line.setAttribute("class", `attnviz-growing-branch attnviz-growing-${node.state}${node.won ? " attnviz-growing-won" : ""}`);
          lines.append(line);
        }
        const element = make("button", `attnviz-growing-node attnviz-growing-${node.state}${node.won ? " attnviz-growing-won" : ""}`, {
          type: "button",
          title: node.said,
          tabIndex: -1,
          "aria-label": node.said,
        }, [
          make("span", "attnviz-growing-token", { textContent: node.text }),
          make("span", "attnviz-growing-score", { textContent: node.score }),
        ]);
        element.style.left = `${place * across}px`;
        element.style.top = `${row * down + 3}px`;
        element.dataset.step = given + place;
        element.addEventListener("click", () => this.go(given + place));
        return element;
      }),
    );
    this.tree.style.setProperty("--attnviz-tree", `${most * down}px`);
    this.tree.setAttribute("aria-label", texts.beam);
    this.tree.replaceChildren(make("div", "attnviz-growing-forest", {}, [lines, ...nodes]));
    this.tree.firstChild.style.width = `${beams.length * across}px`;
  }

  follow() {
    let here = null;
    this.tree.querySelectorAll(".attnviz-growing-node").forEach((node) => {
      const now = Number(node.dataset.step) === this.step;
      node.classList.toggle("attnviz-growing-now-node", now);
      node.tabIndex = now && node.classList.contains("attnviz-growing-won") ? 0 : -1;
      if (now) here = node;
    });
    this.keepInSight(this.tree, here);
  }

  /** Scrolls within an element only: the page stays where it is. */
  keepInSight(around, element) {
    if (!element) return;
    const [outer, inner] = [around, element].map((item) => item.getBoundingClientRect());
    if (inner.left < outer.left) around.scrollLeft -= outer.left - inner.left + 20;
    else if (inner.right > outer.right) around.scrollLeft += inner.right - outer.right + 20;
    if (inner.top < outer.top) around.scrollTop -= outer.top - inner.top + 4;
    else if (inner.bottom > outer.bottom) around.scrollTop += inner.bottom - outer.bottom + 4;
  }
}

export default mounted(new WeakMap(), (parent) => new Growing(parent));
