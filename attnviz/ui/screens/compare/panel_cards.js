// Panels side by side: each with its own kind, layer and head, and the difference of two of them. What is pointed at in
// one is marked in all: at the same place where the words are the same, else at the same word.
//
// The panels' controls are plain elements of this component: two dozen of Streamlit's own would cost more than all else.

class Panels extends MapCards {
  build() {
    this.cards = [];
    this.summary = make("span", "attnviz-panels-summary", { "aria-live": "polite" });
    this.low = make("span", "", { textContent: "0" });
    this.ramp = make("span", "attnviz-panels-ramp");
    this.high = make("span", "");
    this.quantity = make("span", "attnviz-panels-quantity");
    this.legend = make("span", "attnviz-panels-legend", {}, [this.quantity, this.low, this.ramp, this.high]);
    this.more = make("button", "attnviz-panels-add", { type: "button" });
    this.more.addEventListener("click", () => this.add());
    this.models = make("datalist", "", { id: `attnviz-models-${Math.random().toString(36).slice(2)}` });
    this.sized = this.grid = make("div", "attnviz-panels-grid", { role: "list" });
    this.startPointing();
    this.difference = new DifferenceCard((side, position) => this.compare(side, position));
    this.listen(this.difference, () => this.cards.length);
    return make("div", "attnviz-panels attnviz-maps attnviz-figure", {}, [
      make("div", "attnviz-panels-bar", {}, [this.summary, this.legend, this.more]),
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
      this.decode(data.cards, data.difference);
      this.write();
      this.draw();
    }
    this.controls();
  }

  view(figure) {
    return this.cards[figure] ?? this.difference;
  }

  height() {
    return Math.max(190, Math.min(320, window.innerHeight - this.data.above));
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
      role: make("div", "attnviz-panel-role"),
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
    this.listen(card, () => position);
    card.root = make("div", "attnviz-panel", { role: "listitem" }, [
      make("div", "attnviz-panel-bar", {}, [card.name, card.value, ...card.menu.icons]),
      card.menu.selects,
      card.role,
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
    this.legend.hidden = data.cards.every((one) => !one.weights);
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
      card.role.textContent = one.role;
      card.role.hidden = !one.role;
      card.error.textContent = one.error;
      card.error.hidden = !one.error;
      card.heatmap.root.hidden = !one.weights;
      card.heatmap.canvas.setAttribute("aria-label", `${letter}: ${one.text}`);
      card.name.setAttribute("aria-label", `${letter}: ${one.text}. ${texts.choose}`);
      card.name.title = texts.choose;
      card.menu.write(data, one, letter);
    });
    this.difference.write(data.difference, theme.signedScale, data.cards.length > 2);
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
}

export default mounted(new WeakMap(), (parent) => new Panels(parent));
