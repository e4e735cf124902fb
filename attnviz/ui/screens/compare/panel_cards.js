// Panels side by side: each with its own kind, layer and head, and the difference of two of them. What is pointed at in
// one is marked in all: at the same place where the words are the same, else at the same word.
//
// The panels' controls are plain elements of this component: two dozen of Streamlit's own would cost more than all else.

const LAYOUT = { mostCell: 52, mostLabel: 96, grows: true }; // CSS pixels; as Heatmap.measure takes it
const NARROW = 300; // CSS pixels of a picture whose labels are smaller

class Panels extends Figure {
  build() {
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
    this.grid = this.sized = make("div", "attnviz-panels-grid", { role: "list" });
    this.tip = new Tip();
    this.difference = new DifferenceCard((side, position) => this.compare(side, position));
    this.listen(this.difference, -1);
    this.listenTo(window, "scroll", () => this.look(null), true);
    return make("div", "attnviz-panels attnviz-maps attnviz-figure", {}, [
      make("div", "attnviz-panels-bar", {}, [this.summary, legend, this.more]),
      this.grid,
      this.tip.root,
      this.models,
    ]);
  }

  receive(_, changed) {
    const { data } = this;
    // What was chosen while this answer was on its way is newer than what it says.
    if (!this.sent || this.sent === data.edit) {
      this.sent = 0;
      this.state = structuredClone(data.state);
    }
    if (changed) {
      this.at = this.pinned = null;
      this.decode();
      this.write();
      this.draw();
    }
    this.controls();
  }

  decode() {
    const { cards, difference, perHead, top, axes } = this.data;
    this.axes = axes;
    const figure = (one, weights, colourIndex) => ({
      queryAxis: one.queries, keyAxis: one.keys,
      queries: axes[one.queries].labels, keys: axes[one.keys].labels,
      written: { queries: axes[one.queries].written ?? [], keys: axes[one.keys].written ?? [] },
      hidden: one.hidden ? decode(one.hidden) : null,
      weights, colourIndex,
    });
    this.figures = cards.map((card) => {
      if (card.error) return null;
      const end = perHead ? card.max || 1 : top;
      return figure(card, decode(card.weights), (weight) => (255 * weight) / end);
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

  change(position, changes) {
    const state = structuredClone(this.state);
    Object.assign(state.panels[position], changes);
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
    const pair = compared.map((position) => order.indexOf(position));
    this.send({
      panels: order.map((position) => panels[position]),
      compared: pair.includes(-1) ? [0, 1] : pair,
      chosen: Math.max(0, order.indexOf(chosen)),
    });
  }

  drop(position) {
    this.reorder([...this.state.panels.keys()].filter((other) => other !== position));
    this.cards[Math.max(0, position - 1)].name.focus();
  }

  shift(position, by) {
    const order = [...this.state.panels.keys()];
    [order[position], order[position + by]] = [order[position + by], order[position]];
    this.reorder(order);
    this.cards[position + by].name.focus();
  }

  compare(side, position) {
    const state = structuredClone(this.state);
    if (state.compared[1 - side] === position) state.compared.reverse();
    else state.compared[side] = position;
    this.send(state);
  }

  choose(position) {
    if (position !== this.state.chosen) this.send({ ...structuredClone(this.state), chosen: position });
  }

  // Cards -----------------------------------------------------------------------------------------------------------

  card(position) {
    const card = {
      letter: make("span", "attnviz-panel-letter", { textContent: this.data.letters[position] }),
      title: make("span", "attnviz-panel-title"),
      value: make("span", "attnviz-panel-value"),
      note: make("button", "attnviz-panel-note", { type: "button" }),
      error: make("div", "attnviz-panel-error", { role: "alert" }),
      heatmap: new Heatmap(),
    };
    card.menu = new PanelMenu(this.models.id, {
      panel: () => this.state.panels[position],
      change: (changes) => this.change(position, changes),
      shift: (by) => this.shift(position, by),
      drop: () => this.drop(position),
    });
    card.name = make("button", "attnviz-panel-name", { type: "button" }, [card.letter, card.title]);
    card.name.addEventListener("click", () => this.choose(position));
    card.note.addEventListener("click", () => card.menu.unfold(true));
    this.listen(card, position);
    card.root = make("div", "attnviz-panel", { role: "listitem" }, [
      make("div", "attnviz-panel-bar", {}, [card.name, card.value, ...card.menu.icons]),
      card.menu.selects,
      card.note,
      card.menu.form,
      card.error,
      card.heatmap.root,
    ]);
    return card;
  }

  /** Everything but the pictures and the controls' values. */
  write() {
    const { data, theme } = this;
    const { texts } = data;
    this.summary.textContent = data.summary;
    this.quantity.textContent = texts.weight;
    this.high.textContent = data.perHead ? texts.ownMax : texts.all;
    this.ramp.style.background = `linear-gradient(90deg, ${theme.scale.join(", ")})`;
    this.more.textContent = `+ ${texts.add}`;
    this.models.replaceChildren(...data.models.map((value) => make("option", "", { value })));
    while (this.cards.length > data.cards.length) this.cards.pop().root.remove();
    while (this.cards.length < data.cards.length) {
      this.cards.push(this.card(this.cards.length));
      this.grid.append(this.cards.at(-1).root);
    }
    this.grid.append(this.difference.root);
    data.cards.forEach((one, position) => {
      const card = this.cards[position];
      const letter = data.letters[position];
      card.title.textContent = one.name;
      card.note.textContent = one.note;
      card.note.hidden = !one.note;
      card.error.textContent = one.error;
      card.error.hidden = !one.error;
      card.heatmap.root.hidden = Boolean(one.error);
      card.heatmap.canvas.setAttribute("aria-label", `${letter}: ${one.text}`);
      card.name.setAttribute("aria-label", `${letter}: ${one.text}. ${texts.choose}`);
      card.name.title = texts.choose;
      card.menu.write(data, one, letter);
    });
    this.difference.write(data.difference, data.diverging[theme.name], data.cards.length > 2);
    this.values();
  }

  /** What the controls hold, and which of them can be used. */
  controls() {
    const { data, state } = this;
    const count = state.panels.length;
    this.more.disabled = count >= data.most;
    data.cards.forEach((one, position) => {
      const card = this.cards[position];
      const panel = state.panels[position];
      if (!panel) return;
      const chosen = position === state.chosen;
      card.root.classList.toggle("attnviz-panel-chosen", chosen);
      card.name.setAttribute("aria-pressed", chosen);
      card.menu.show(panel, one, data.texts, {
        first: position === 0,
        last: position === count - 1,
        needed: count <= data.least,
      });
    });
    this.difference.show(state.panels.map((_, position) => [position, data.letters[position]]), state.compared, data.texts.pair);
  }

  // Pointing --------------------------------------------------------------------------------------------------------

  listen(card, position) {
    const { root } = card.heatmap;
    const figure = () => (position < 0 ? this.cards.length : position);
    root.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") this.look(this.cellAt(card, figure(), event), event);
    });
    root.addEventListener("pointerleave", () => this.look(null));
    root.addEventListener("click", (event) => this.pin(this.cellAt(card, figure(), event), event));
    card.name.addEventListener("keydown", (event) => this.arrow(event, figure()));
    card.name.addEventListener("blur", () => this.look(null));
  }

  cellAt(card, figure, event) {
    const under = card.heatmap.under(event);
    return under && { figure, ...under };
  }

  pin(cell, event) {
    const same = JSON.stringify(cell) === JSON.stringify(this.pinned);
    this.pinned = same ? null : cell;
    this.look(same ? null : cell, event);
  }

  arrow(event, figure) {
    const map = this.figures[figure];
    if (event.key === "Escape") {
      this.pinned = null;
      this.look(null);
    }
    const from = this.at?.figure === figure && this.at.query !== null && this.at.key !== null ? this.at : null;
    const to = map && arrowTo(event, from, map.queries.length, map.keys.length);
    if (to) this.look({ figure, ...to });
  }

  look(cell, event) {
    const at = cell ?? this.pinned;
    if (JSON.stringify(at) !== JSON.stringify(this.at)) {
      this.at = at;
      this.markAll();
      this.values();
    }
    if (!cell) {
      this.tip.hide();
      return;
    }
    this.tip.say(this.spoken(cell));
    this.tip.moveTo(...(event ? [event.clientX, event.clientY] : this.heatmap(cell.figure).cornerOf(cell)));
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

  heatmap(figure) {
    return (figure === this.cards.length ? this.difference : this.cards[figure]).heatmap;
  }

  /** The rows and columns of a figure that show what is pointed at. */
  rowsAndColumns(figure) {
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
    return [...other.words.keys()].filter((position) => other.words[position] && other.words[position] === one.words[index]);
  }

  markAll() {
    this.figures.forEach((_, figure) => {
      this.heatmap(figure).mark(...(this.at ? this.rowsAndColumns(figure) : [[], []]));
    });
  }

  /** At the right of each title: what is pointed at, else what the strongest colour stands for. */
  values() {
    this.figures.forEach((map, figure) => {
      const { value } = figure === this.cards.length ? this.difference : this.cards[figure];
      const own = this.data.perHead && figure < this.cards.length && map ? fill(this.data.texts.max, number(this.data.cards[figure].max)) : "";
      value.textContent = !map ? "" : this.at ? this.read(figure, ...this.rowsAndColumns(figure)) : own;
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
    const strongest = (values) => values.reduce((best, one, position) => (Math.abs(one) > Math.abs(values[best]) ? position : best), 0);
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
      if (!map) return;
      const heatmap = this.heatmap(figure);
      const shape = heatmap.measure(map, this.theme, {
        ...LAYOUT,
        labelSize: heatmap.root.clientWidth < NARROW ? LABEL_SIZE - 1 : LABEL_SIZE,
        cellsHeight: (top) => height - top,
      });
      heatmap.draw(map, figure === this.cards.length ? differences : weights, this.theme, shape);
    });
    this.markAll();
  }
}

/** "+0.42", "−0.31". */
function signed(value) {
  const text = number(Math.abs(value));
  return Math.abs(value) < 0.0005 ? "0.00" : `${value < 0 ? "−" : "+"}${text}`;
}

export default mounted(new WeakMap(), (parent) => new Panels(parent));
