// Panels side by side: each with its own kind, layer and head, and the difference of two of them. What is pointed at in
// one is marked in all: at the same place where the words are the same, else at the same word.
//
// The panels' controls are plain elements of this component: two dozen of Streamlit's own would cost more than all else.

const MOST_CELL = 52; // CSS pixels
const LEAST_ROW = 9; // of height for each query before a picture grows no further than a square
const LABEL_SIZE = 11;
const SLANT = (-52 * Math.PI) / 180; // of key labels that are wider than their column

/** One map on a canvas, with marks over it. `map`: {queries, keys, weights, hidden, colour(weight) in 0 … 255}. */
class Heatmap {
  constructor() {
    this.canvas = make("canvas", "attnviz-panel-canvas", { role: "img" });
    this.marks = make("div", "attnviz-panel-marks", { "aria-hidden": "true" });
    this.root = make("div", "attnviz-panel-picture", {}, [this.canvas, this.marks]);
  }

  draw(map, colours, theme, height) {
    this.map = map;
    const width = this.root.clientWidth;
    if (!width) return;
    const ratio = window.devicePixelRatio || 1;
    const context = this.canvas.getContext("2d");
    context.font = this.font = `${width < 300 ? LABEL_SIZE - 1 : LABEL_SIZE}px ${theme.font}`;
    const shape = (this.shape = this.measure(context, width, height, ratio));
    const total = Math.ceil(shape.top + shape.height + 3);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(total * ratio);
    this.canvas.style.height = `${total}px`;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (!map.keys.length || !map.queries.length) return;
    context.imageSmoothingEnabled = shape.cellWidth * ratio < 2;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.image(colours), shape.left, shape.top, shape.width, shape.height);
    this.lines(context, theme, 1 / ratio);
    if (map.hidden) this.bars(context, theme);
    this.labels(context, theme);
  }

  /** Where things are. */
  measure(context, width, height, ratio) {
    const { queries, keys, hidden } = this.map;
    const room = Math.max(28, Math.min(96, width * 0.3));
    const queryLabels = queries.map((label) => shorten(context, label, room));
    const keyLabels = keys.map((label) => shorten(context, label, room));
    const widths = keyLabels.map((label) => context.measureText(label).width);
    const left = Math.ceil(Math.max(0, ...queryLabels.map((label) => context.measureText(label).width))) + 7;
    const bar = hidden ? Math.max(12, Math.min(26, width * 0.08)) : 0;
    const parts = { left, bar, queryLabels, keyLabels, widths, total: width, height, ratio };
    const straight = this.fit(parts, false);
    return widths.some((label) => label > straight.cellWidth - 2) ? this.fit(parts, true) : straight;
  }

  fit(parts, slanted) {
    const { left, bar, widths, total, ratio } = parts;
    const columns = Math.max(1, this.map.keys.length);
    const rows = Math.max(1, this.map.queries.length);
    // Slanted labels of the last keys lean out of the map and need room beyond it.
    const lean = (cell) => Math.max(0, ...widths.map((label, key) => label * Math.cos(SLANT) - (columns - key - 0.5) * cell));
    const across = (right) => Math.max(20, total - left - right - 1);
    let right = bar ? bar + 5 : 0;
    if (slanted) right = Math.max(right, lean(Math.min(MOST_CELL, across(right) / columns)));
    const top = Math.ceil(slanted ? Math.max(0, ...widths) * -Math.sin(SLANT) + 9 : LABEL_SIZE + 6);
    let cellWidth = Math.min(MOST_CELL, across(right) / columns);
    const grown = Math.max(parts.height - top, Math.min(rows * LEAST_ROW, across(right)));
    let cellHeight = Math.min(Math.max(cellWidth, 14), grown / rows);
    cellWidth = Math.min(cellWidth, Math.max(cellHeight * 1.6, 14));
    const whole = (size) => (size * ratio >= 2 ? Math.floor(size * ratio) / ratio : size);
    cellWidth = whole(cellWidth);
    cellHeight = whole(cellHeight);
    return { ...parts, top, cellWidth, cellHeight, slanted, width: cellWidth * columns, height: cellHeight * rows };
  }

  /** One pixel for each cell. */
  image(colours) {
    const { queries, keys, weights, colour } = this.map;
    const image = make("canvas", "", { width: keys.length, height: queries.length });
    const context = image.getContext("2d");
    const pixels = context.createImageData(keys.length, queries.length);
    const target = new Uint32Array(pixels.data.buffer);
    weights.forEach((weight, cell) => {
      target[cell] = colours[Math.max(0, Math.min(255, Math.round(colour(weight))))];
    });
    context.putImageData(pixels, 0, 0);
    return image;
  }

  /** A frame, and hairlines between cells that are large enough to be looked at one by one. */
  lines(context, theme, hair) {
    const { left, top, width, height, cellWidth, cellHeight } = this.shape;
    if (Math.min(cellWidth, cellHeight) >= 8) {
      context.fillStyle = theme.background;
      context.globalAlpha = 0.75;
      this.map.keys.forEach((_, key) => key && context.fillRect(left + key * cellWidth, top, hair, height));
      this.map.queries.forEach((_, query) => query && context.fillRect(left, top + query * cellHeight, width, hair));
      context.globalAlpha = 1;
    }
    context.strokeStyle = theme.line;
    context.lineWidth = hair;
    context.strokeRect(left - hair / 2, top - hair / 2, width + hair, height + hair);
  }

  /** At the right of each row: the share of its attention that is not shown. */
  bars(context, theme) {
    const { left, top, width, cellHeight, bar } = this.shape;
    const thick = Math.max(1, Math.min(6, cellHeight * 0.5));
    context.fillStyle = theme.text;
    this.map.hidden.forEach((share, query) => {
      const y = top + (query + 0.5) * cellHeight - thick / 2;
      context.globalAlpha = 0.12;
      context.fillRect(left + width + 4, y, bar, thick);
      context.globalAlpha = 0.55;
      context.fillRect(left + width + 4, y, bar * share, thick);
    });
    context.globalAlpha = 1;
  }

  labels(context, theme) {
    const { left, top, cellWidth, cellHeight, slanted, queryLabels, keyLabels } = this.shape;
    const every = (size) => Math.max(1, Math.ceil((LABEL_SIZE - 2) / size));
    const apart = slanted ? -Math.sin(SLANT) : 1; // slanted lines of text come closer to each other
    context.font = this.font;
    context.fillStyle = theme.text;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (let query = 0; query < queryLabels.length; query += every(cellHeight)) {
      context.fillText(queryLabels[query], left - 5, top + (query + 0.5) * cellHeight);
    }
    context.textAlign = slanted ? "left" : "center";
    for (let key = 0; key < keyLabels.length; key += every(cellWidth * apart)) {
      context.save();
      context.translate(left + (key + 0.5) * cellWidth, top - (slanted ? 5 : 8));
      if (slanted) context.rotate(SLANT);
      context.fillText(keyLabels[key], 0, 0);
      context.restore();
    }
  }

  /** What is under the pointer: {query, key}, one of them null on a label; null beside all of it. */
  under(event) {
    if (!this.shape || !this.map.keys.length || !this.map.queries.length) return null;
    const box = this.canvas.getBoundingClientRect();
    const { left, top, width, height, cellWidth, cellHeight, slanted } = this.shape;
    const [x, y] = [event.clientX - box.left - left, event.clientY - box.top - top];
    const query = y >= 0 && y < height ? Math.floor(y / cellHeight) : null;
    if (query !== null && x < 0) return { query, key: null };
    const shifted = slanted && y < 0 ? x - y / Math.tan(SLANT) - 4 : x;
    const inside = shifted >= 0 && shifted < width;
    const key = inside ? Math.min(this.map.keys.length - 1, Math.floor(shifted / cellWidth)) : null;
    if (y < 0) return key === null ? null : { query: null, key };
    return query === null || key === null ? null : { query, key };
  }

  /** Marks rows and columns: their labels, lines along them, and a frame where they meet. */
  mark(rows, columns) {
    this.marks.replaceChildren();
    if (!this.shape || !(rows.length || columns.length)) return;
    const { left, top, width, height, cellWidth, cellHeight, slanted } = this.shape;
    const add = (part, x, y, w, h) => {
      const style = `left:${x}px;top:${y}px;width:${w}px;height:${h}px`;
      this.marks.append(make("div", `attnviz-panel-mark attnviz-panel-mark-${part}`, { style }));
    };
    for (const row of rows) {
      const y = top + row * cellHeight;
      add("label", 0, y, left - 2, cellHeight);
      add("row", left, y, width, cellHeight);
    }
    for (const column of columns) {
      const x = left + column * cellWidth;
      add("label", x, slanted ? top - 4 : 0, cellWidth, slanted ? 4 : top - 2);
      add("column", x, top, cellWidth, height);
    }
    for (const row of rows) {
      for (const column of columns) {
        add("cell", left + column * cellWidth - 1, top + row * cellHeight - 1, cellWidth + 2, cellHeight + 2);
      }
    }
  }
}

class Panels {
  constructor(parent) {
    this.cards = [];
    this.at = null; // {figure, query, key} that is pointed at; query or key is null on a word alone
    this.pinned = null; // likewise, kept by a click
    this.summary = make("span", "attnviz-panels-summary", { "aria-live": "polite" });
    this.low = make("span", "", { textContent: "0" });
    this.ramp = make("span", "attnviz-panels-ramp");
    this.high = make("span", "");
    this.quantity = make("span", "attnviz-panels-quantity");
    const legend = make("span", "attnviz-panels-legend", {}, [this.quantity, this.low, this.ramp, this.high]);
    this.more = make("button", "attnviz-panels-add", { type: "button" });
    this.more.addEventListener("click", () => this.add());
    this.models = make("datalist", "", { id: `attnviz-models-${Math.random().toString(36).slice(2)}` });
    this.grid = make("div", "attnviz-panels-grid", { role: "list" });
    this.tip = make("div", "attnviz-tip attnviz-panels-tip", { role: "status", hidden: true });
    this.root = make("div", "attnviz-panels attnviz-figure", {}, [
      make("div", "attnviz-panels-bar", {}, [this.summary, legend, this.more]),
      this.grid,
      this.tip,
      this.models,
    ]);
    this.difference = this.differenceCard();
    parent.append(this.root);
    this.watch = new ResizeObserver(() => this.resized());
    this.watch.observe(this.root);
    this.scrolled = () => this.look(null);
    window.addEventListener("scroll", this.scrolled, true);
  }

  destroy() {
    this.watch.disconnect();
    window.removeEventListener("scroll", this.scrolled, true);
    this.root.remove();
  }

  update(data, trigger) {
    if (!data) return;
    this.trigger = trigger;
    const theme = readTheme(this.root);
    const redraw = this.data?.picture !== data.picture || this.theme?.name !== theme.name;
    this.data = data;
    this.theme = theme;
    // What was chosen while this answer was on its way is newer than what it says.
    if (!this.sent || this.sent === data.edit) {
      this.sent = 0;
      this.state = structuredClone(data.state);
    }
    if (redraw) {
      this.at = this.pinned = null;
      this.decode();
      this.write();
      this.draw();
    }
    this.controls();
    this.root.dataset.attnvizRun = data.run;
  }

  resized() {
    if (this.data && Math.abs(this.grid.clientWidth - this.drawnWidth) > 1) this.draw();
  }

  decode() {
    const { cards, difference, perHead, axes } = this.data;
    this.axes = axes;
    const figure = (one, weights, colour) => ({
      queryAxis: one.queries, keyAxis: one.keys,
      queries: axes[one.queries].labels, keys: axes[one.keys].labels,
      hidden: one.hidden ? decode(one.hidden) : null,
      weights, colour,
    });
    this.figures = cards.map((card) => {
      if (card.error) return null;
      const top = perHead ? card.max || 1 : 1;
      return figure(card, decode(card.weights), (weight) => (255 * weight) / top);
    });
    if (difference && !difference.error) {
      // -1 … 1 comes as 0 … 1.
      const weights = decode(difference.weights).map((half) => 2 * half - 1);
      this.figures.push(figure(difference, weights, (weight) => 127.5 + (127.5 * weight) / difference.top));
    } else this.figures.push(null);
  }

  // Changes ---------------------------------------------------------------------------------------------------------

  /** Tells the server; the whole state each time, so that of several changes in a row none is lost. */
  send(state) {
    this.state = state;
    this.sent = Math.max(Date.now(), (this.sent || 0) + 1);
    this.trigger("edit", { ...state, edit: this.sent });
  }

  change(place, changes) {
    const state = structuredClone(this.state);
    Object.assign(state.panels[place], changes);
    this.send(state);
  }

  add() {
    const state = structuredClone(this.state);
    if (state.panels.length >= this.data.most) return;
    state.panels.push({ ...state.panels.at(-1) });
    this.send(state);
  }

  /** Drops a panel, or moves it by one place; `order` lists where the panels that stay are now. */
  reorder(order) {
    if (this.sent) return; // the cards on the screen are not yet those that the last change leads to
    const { panels, compared, chosen } = this.state;
    const pair = compared.map((place) => order.indexOf(place));
    this.send({
      panels: order.map((place) => panels[place]),
      compared: pair.includes(-1) ? [0, 1] : pair,
      chosen: Math.max(0, order.indexOf(chosen)),
    });
  }

  drop(place) {
    this.reorder([...this.state.panels.keys()].filter((other) => other !== place));
    this.cards[Math.max(0, place - 1)].name.focus();
  }

  shift(place, by) {
    const order = [...this.state.panels.keys()];
    [order[place], order[place + by]] = [order[place + by], order[place]];
    this.reorder(order);
    this.cards[place + by].name.focus();
  }

  compare(side, place) {
    const state = structuredClone(this.state);
    if (state.compared[1 - side] === place) state.compared.reverse();
    else state.compared[side] = place;
    this.send(state);
  }

  choose(place) {
    if (place !== this.state.chosen) this.send({ ...structuredClone(this.state), chosen: place });
  }

  // Cards -----------------------------------------------------------------------------------------------------------

  card(place) {
    const icon = (what, act) => {
      const button = make("button", "attnviz-panel-icon", { type: "button" }, [make("span", "", { textContent: what })]);
      button.addEventListener("click", act);
      return button;
    };
    const select = (part) => {
      const element = make("select", "attnviz-panel-select");
      element.addEventListener("change", () => {
        const value = element.value;
        this.change(place, { [part]: part !== "kind" && /^\d+$/.test(value) ? Number(value) : value });
      });
      return element;
    };
    const card = {
      letter: make("span", "attnviz-panel-letter", { textContent: this.data.letters[place] }),
      title: make("span", "attnviz-panel-title"),
      value: make("span", "attnviz-panel-value"),
      left: icon("‹", () => this.shift(place, -1)),
      right: icon("›", () => this.shift(place, 1)),
      other: icon("⋯", () => this.unfold(place)),
      close: icon("×", () => this.drop(place)),
      selects: { kind: select("kind"), layer: select("layer"), head: select("head") },
      note: make("button", "attnviz-panel-note", { type: "button" }),
      error: make("div", "attnviz-panel-error", { role: "alert" }),
      form: this.form(place),
      heatmap: new Heatmap(),
    };
    card.name = make("button", "attnviz-panel-name", { type: "button" }, [card.letter, card.title]);
    card.name.addEventListener("click", () => this.choose(place));
    card.note.addEventListener("click", () => this.unfold(place, true));
    this.listen(card, place);
    card.root = make("div", "attnviz-panel", { role: "listitem" }, [
      make("div", "attnviz-panel-bar", {}, [card.name, card.value, card.left, card.right, card.other, card.close]),
      make("div", "attnviz-panel-controls", {}, Object.values(card.selects)),
      card.note,
      card.form.root,
      card.error,
      card.heatmap.root,
    ]);
    return card;
  }

  /** Another sentence, target or model for one panel. */
  form(place) {
    const fields = {};
    const labels = ["sentence", "target", "model"].map((part) => {
      fields[part] = make("input", "attnviz-panel-input", { type: "text", spellcheck: false, autocomplete: "off" });
      return make("label", "attnviz-panel-label", {}, [make("span", ""), fields[part]]);
    });
    fields.model.setAttribute("list", this.models.id);
    const apply = make("button", "attnviz-panel-button", { type: "submit" });
    const same = make("button", "attnviz-panel-button", { type: "button" });
    const root = make("form", "attnviz-panel-form", { hidden: true }, [
      ...labels,
      make("div", "attnviz-panel-buttons", {}, [apply, same]),
    ]);
    const close = () => {
      root.hidden = true;
      this.cards[place].other.setAttribute("aria-expanded", false);
      this.cards[place].other.focus();
    };
    root.addEventListener("submit", (event) => {
      event.preventDefault();
      this.change(place, Object.fromEntries(Object.entries(fields).map(([part, field]) => [part, field.value.trim()])));
      close();
    });
    same.addEventListener("click", () => {
      this.change(place, { sentence: "", target: "", model: "" });
      close();
    });
    root.addEventListener("keydown", (event) => event.key === "Escape" && close());
    return { root, fields, labels, apply, same };
  }

  unfold(place, open = this.cards[place].form.root.hidden) {
    const { form, other } = this.cards[place];
    const panel = this.state.panels[place];
    form.root.hidden = !open;
    other.setAttribute("aria-expanded", open);
    if (!open) return;
    for (const [part, field] of Object.entries(form.fields)) field.value = panel[part];
    form.fields.sentence.focus();
  }

  differenceCard() {
    const select = (side) => {
      const element = make("select", "attnviz-panel-select");
      element.addEventListener("change", () => this.compare(side, Number(element.value)));
      return element;
    };
    const card = {
      name: make("button", "attnviz-panel-name attnviz-panel-name-still", { type: "button" }),
      value: make("span", "attnviz-panel-value"),
      selects: [select(0), select(1)],
      far: make("div", "attnviz-panel-far"),
      error: make("div", "attnviz-panel-error"),
      low: make("span", ""),
      ramp: make("span", "attnviz-panels-ramp"),
      high: make("span", ""),
      heatmap: new Heatmap(),
    };
    card.pair = make("div", "attnviz-panel-pair", {}, [card.selects[0], make("span", "", { textContent: "−" }), card.selects[1]]);
    card.legend = make("div", "attnviz-panels-legend", {}, [card.low, card.ramp, card.high]);
    this.listen(card, -1);
    card.root = make("div", "attnviz-panel attnviz-panel-difference", { role: "listitem" }, [
      make("div", "attnviz-panel-bar", {}, [card.name, card.value]),
      card.pair,
      card.far,
      card.error,
      card.heatmap.root,
      card.legend,
    ]);
    return card;
  }

  /** Everything but the pictures and the controls' values. */
  write() {
    const { data, theme } = this;
    const { texts } = data;
    this.summary.textContent = data.summary;
    this.quantity.textContent = texts.weight;
    this.high.textContent = data.perHead ? texts.ownMax : "1";
    this.ramp.style.background = `linear-gradient(90deg, ${theme.scale.join(", ")})`;
    this.more.textContent = `+ ${texts.add}`;
    this.models.replaceChildren(...data.models.map((value) => make("option", "", { value })));
    while (this.cards.length > data.cards.length) this.cards.pop().root.remove();
    while (this.cards.length < data.cards.length) {
      this.cards.push(this.card(this.cards.length));
      this.grid.append(this.cards.at(-1).root);
    }
    this.grid.append(this.difference.root);
    data.cards.forEach((one, place) => {
      const card = this.cards[place];
      const letter = data.letters[place];
      card.title.textContent = one.name;
      card.note.textContent = one.note;
      card.note.hidden = !one.note;
      card.error.textContent = one.error;
      card.error.hidden = !one.error;
      card.heatmap.root.hidden = Boolean(one.error);
      card.heatmap.canvas.setAttribute("aria-label", `${letter}: ${one.text}`);
      card.name.setAttribute("aria-label", `${letter}: ${one.text}. ${texts.choose}`);
      card.name.title = texts.choose;
      const say = (button, text) => {
        button.title = text;
        button.setAttribute("aria-label", `${text}: ${letter}`);
      };
      say(card.left, texts.left);
      say(card.right, texts.right);
      say(card.other, texts.other);
      say(card.close, texts.close);
      card.other.setAttribute("aria-expanded", !card.form.root.hidden);
      for (const [part, select] of Object.entries(card.selects)) {
        select.setAttribute("aria-label", `${texts[part]}: ${letter}`);
      }
      const { labels, fields, apply, same } = card.form;
      labels.forEach((label, at) => (label.firstChild.textContent = texts.own[at]));
      fields.sentence.placeholder = data.page.sentence;
      fields.target.placeholder = data.page.target;
      fields.model.placeholder = data.page.model;
      labels[1].hidden = !one.hasTarget;
      apply.textContent = texts.apply;
      same.textContent = texts.same;
    });
    this.writeDifference();
    this.values();
  }

  writeDifference() {
    const { data, difference: card } = this;
    const one = data.difference;
    const colours = data.diverging[this.theme.name];
    card.name.textContent = one.name;
    card.name.setAttribute("aria-label", one.text);
    card.heatmap.canvas.setAttribute("aria-label", one.text);
    card.far.textContent = one.said;
    card.far.hidden = !one.said;
    card.error.textContent = one.error;
    card.error.hidden = !one.error;
    card.heatmap.root.hidden = card.legend.hidden = Boolean(one.error);
    card.pair.hidden = data.cards.length === 2;
    card.low.textContent = one.low;
    card.high.textContent = one.high;
    card.ramp.style.background = `linear-gradient(90deg, ${colours.join(", ")})`;
  }

  /** What the controls hold, and which of them can be used. */
  controls() {
    const { data, state } = this;
    const count = state.panels.length;
    this.more.disabled = count >= data.most;
    data.cards.forEach((one, place) => {
      const card = this.cards[place];
      const panel = state.panels[place];
      if (!panel) return;
      const chosen = place === state.chosen;
      card.root.classList.toggle("attnviz-panel-chosen", chosen);
      card.name.setAttribute("aria-pressed", chosen);
      card.left.disabled = place === 0;
      card.right.disabled = place === count - 1;
      card.close.disabled = count <= data.least;
      const rollout = panel.head === "rollout";
      options(card.selects.kind, one.kinds.map((kind) => [kind, kind[0].toUpperCase() + kind.slice(1)]), panel.kind);
      options(card.selects.layer, this.counted(one.layers, panel.layer, data.texts.layers, rollout ? ["mean", "max"] : []), panel.layer);
      const never = panel.kind === "cross" || typeof panel.layer === "string" ? ["rollout"] : [];
      options(card.selects.head, this.counted(one.heads, panel.head, data.texts.heads, never), panel.head);
    });
    const letters = state.panels.map((_, place) => [place, data.letters[place]]);
    this.difference.selects.forEach((select, side) => {
      select.setAttribute("aria-label", data.texts.pair[side]);
      options(select, letters, state.compared[side]);
    });
  }

  /** [value, label, disabled] for each layer or head, and for all of them together. */
  counted(count, now, texts, never) {
    const numbers = count === null ? (typeof now === "number" ? [now] : []) : [...Array(count).keys()];
    return [
      ...numbers.map((number) => [number, fill(texts.one, number)]),
      ...Object.entries(texts.all).map(([how, label]) => [how, label, never.includes(how)]),
    ];
  }

  // Pointing --------------------------------------------------------------------------------------------------------

  listen(card, place) {
    const { root } = card.heatmap;
    const figure = () => (place < 0 ? this.cards.length : place);
    root.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") this.look(this.found(card, figure(), event), event);
    });
    root.addEventListener("pointerleave", () => this.look(null));
    root.addEventListener("click", (event) => this.pin(this.found(card, figure(), event), event));
    card.name.addEventListener("keydown", (event) => this.arrow(event, figure()));
    card.name.addEventListener("blur", () => this.look(null));
  }

  found(card, figure, event) {
    const under = card.heatmap.under(event);
    return under && { figure, ...under };
  }

  pin(what, event) {
    const same = JSON.stringify(what) === JSON.stringify(this.pinned);
    this.pinned = same ? null : what;
    this.look(same ? null : what, event);
  }

  arrow(event, figure) {
    const map = this.figures[figure];
    if (event.key === "Escape") {
      this.pinned = null;
      return this.look(null);
    }
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const step = steps[event.key];
    if (!step || !map || !map.keys.length || !map.queries.length) return;
    event.preventDefault();
    const clip = (value, count) => Math.max(0, Math.min(count - 1, value));
    const now = this.at?.figure === figure && this.at.query !== null && this.at.key !== null ? this.at : null;
    const query = now ? clip(now.query + step[0], map.queries.length) : 0;
    const key = now ? clip(now.key + step[1], map.keys.length) : 0;
    this.look({ figure, query, key });
  }

  look(what, event) {
    const at = what ?? this.pinned;
    if (JSON.stringify(at) !== JSON.stringify(this.at)) {
      this.at = at;
      this.markAll();
      this.values();
    }
    this.tip.hidden = !what;
    if (!what) return;
    const text = this.spoken(what);
    if (this.tip.textContent !== text) this.tip.textContent = text;
    this.placeTip(what, event);
  }

  /** "sah → Hund 0.42"; a word alone with its strongest. */
  spoken({ figure, query, key }) {
    const map = this.figures[figure];
    const signed = figure === this.cards.length;
    const parts = [this.read(figure, query === null ? [] : [query], key === null ? [] : [key])];
    if (query !== null && key !== null) parts[0] = `${map.queries[query]} → ${map.keys[key]} ${parts[0]}`;
    else if (query !== null) parts[0] = `${map.queries[query]} ${parts[0]}`;
    else parts[0] = `${parts[0]} (→ ${map.keys[key]})`;
    const share = map.hidden && query !== null && !signed ? map.hidden[query] : 0;
    if (share > 0) parts.push(fill(this.data.texts.hidden, number(share)));
    return parts.join("\n");
  }

  placeTip(what, event) {
    const heatmap = this.heatmap(what.figure);
    const box = heatmap.canvas.getBoundingClientRect();
    const { left, top, cellWidth, cellHeight } = heatmap.shape;
    const x = event ? event.clientX : box.left + left + ((what.key ?? -1) + 1) * cellWidth;
    const y = event ? event.clientY : box.top + top + ((what.query ?? -1) + 1) * cellHeight;
    const [width, height] = [this.tip.offsetWidth, this.tip.offsetHeight];
    const beside = x + 14 + width > document.documentElement.clientWidth ? x - 10 - width : x + 14;
    const under = y + 16 + height > window.innerHeight ? y - 10 - height : y + 16;
    this.tip.style.transform = `translate(${Math.max(4, beside)}px, ${Math.max(4, under)}px)`;
  }

  heatmap(figure) {
    return (figure === this.cards.length ? this.difference : this.cards[figure]).heatmap;
  }

  /** The rows and columns of a figure that show what is pointed at. */
  places(figure) {
    const map = this.figures[figure];
    if (!map || !this.at) return [[], []];
    const source = this.figures[this.at.figure];
    const { query, key } = this.at;
    const rows = query === null ? [] : this.same(source.queryAxis, query, map.queryAxis);
    const columns = key === null ? [] : this.same(source.keyAxis, key, map.keyAxis);
    // A word alone may stand on the other side: a sentence's words are keys where the decoder looks at them.
    if (query !== null && key === null && !rows.length) return [[], this.same(source.queryAxis, query, map.keyAxis)];
    if (key !== null && query === null && !columns.length) return [this.same(source.keyAxis, key, map.queryAxis), []];
    return [rows, columns];
  }

  /** Where the word at a position of one axis stands on another; its pieces where that one has it in pieces. */
  same(from, index, to) {
    if (from === to) return [index];
    const [one, other] = [this.axes[from], this.axes[to]];
    const exact = other.labels.indexOf(one.labels[index]);
    if (exact >= 0) return [exact];
    return [...other.words.keys()].filter((place) => other.words[place] && other.words[place] === one.words[index]);
  }

  markAll() {
    this.figures.forEach((_, figure) => {
      this.heatmap(figure).mark(...(this.at ? this.places(figure) : [[], []]));
    });
  }

  /** At the right of each title: what is pointed at, else what the strongest colour stands for. */
  values() {
    this.figures.forEach((map, figure) => {
      const { value } = figure === this.cards.length ? this.difference : this.cards[figure];
      const own = this.data.perHead && figure < this.cards.length && map ? fill(this.data.texts.max, number(this.data.cards[figure].max)) : "";
      value.textContent = !map ? "" : this.at ? this.read(figure, ...this.places(figure)) : own;
      value.classList.toggle("attnviz-panel-value-now", Boolean(this.at));
    });
  }

  /** A cell's number, summed over a key's pieces and averaged over a query's; the strongest of a row or a column. */
  read(figure, rows, columns) {
    const { queries, keys, weights } = this.figures[figure];
    const say = figure === this.cards.length ? signed : number;
    const at = (query, key) => weights[query * keys.length + key];
    const mean = (key) => rows.reduce((sum, query) => sum + at(query, key), 0) / rows.length;
    if (rows.length && columns.length) return say(columns.reduce((sum, key) => sum + mean(key), 0));
    const strongest = (values) => values.reduce((best, one, place) => (Math.abs(one) > Math.abs(values[best]) ? place : best), 0);
    if (rows.length) {
      const row = keys.map((_, key) => mean(key));
      return `→ ${keys[strongest(row)]} ${say(row[strongest(row)])}`;
    }
    if (columns.length) {
      const column = queries.map((_, query) => columns.reduce((sum, key) => sum + at(query, key), 0));
      return `${queries[strongest(column)]} → ${say(column[strongest(column)])}`;
    }
    return "–";
  }

  // Pictures --------------------------------------------------------------------------------------------------------

  draw() {
    this.drawnWidth = this.grid.clientWidth;
    if (!this.drawnWidth) return;
    const height = Math.max(190, Math.min(320, window.innerHeight - this.data.above));
    const weights = lookup(this.theme.scale);
    const differences = lookup(this.data.diverging[this.theme.name]);
    this.figures.forEach((map, figure) => {
      if (map) this.heatmap(figure).draw(map, figure === this.cards.length ? differences : weights, this.theme, height);
    });
    this.markAll();
  }
}

/** "+0.42", "−0.31". */
function signed(value) {
  const text = number(Math.abs(value));
  return Math.abs(value) < 0.0005 ? "0.00" : `${value < 0 ? "−" : "+"}${text}`;
}

/** Gives a select its options, [value, label, disabled], and its value; it is left alone where nothing is new. */
function options(select, wanted, value) {
  const name = JSON.stringify(wanted);
  if (select.dataset.options !== name) {
    select.dataset.options = name;
    select.replaceChildren(
      ...wanted.map(([value, textContent, disabled]) => make("option", "", { value, textContent, disabled: Boolean(disabled) })),
    );
  }
  if (select.value !== String(value)) select.value = String(value);
}

export default mounted(new WeakMap(), (parent) => new Panels(parent));
