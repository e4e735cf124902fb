// All heads of a layer as a grid of heatmaps. Each card is a canvas under a button; the pointer or the arrow keys move
// one crosshair through all of them, and the number at it stands in every card. A finger has no pointer to rest: the
// first tap on a cell says its number, a second one there opens the head, as its button does.

const MOST_CELL = 44; // CSS pixels
const MOST_LABEL = 84; // CSS pixels

class Heads extends Figure {
  build() {
    this.cards = [];
    this.at = null; // {query, key} under the crosshair
    this.summary = make("span", "attnviz-heads-summary", { "aria-live": "polite" });
    this.ramp = make("span", "attnviz-heads-ramp");
    this.low = make("span", "");
    this.high = make("span", "");
    this.quantity = make("span", "attnviz-heads-quantity");
    this.legend = make("span", "attnviz-heads-legend", {}, [this.quantity, this.low, this.ramp, this.high]);
    this.grid = this.sized = make("div", "attnviz-heads-grid", { role: "list" });
    this.tip = new Tip();
    this.bar = make("div", "attnviz-heads-bar", {}, [this.summary, this.legend]);
    this.listenTo(window, "scroll", () => this.move(null), true);
    this.listenTo(document, "pointerdown", (event) => this.grid.contains(event.target) || this.move(null));
    return make("div", "attnviz-heads attnviz-maps attnviz-figure", {}, [this.bar, this.grid, this.tip.root]);
  }

  receive(_, changed) {
    if (changed) {
      this.colours = lookup(this.theme.scale);
      this.at = null;
      this.tip.hide();
      this.maps = this.decode();
      this.write();
      this.draw();
    }
    this.mark();
  }

  /** A map for each head; all have the same tokens. */
  decode() {
    const { queries, keys, heads, perHead, root, top } = this.data;
    const weights = decode(this.data.weights);
    const hidden = this.data.hidden ? decode(this.data.hidden) : null;
    const part = (numbers, index, size) => numbers.subarray(index * size, (index + 1) * size);
    return heads.map((head, index) => {
      const factor = 255 / (perHead ? head.max || 1 : top);
      return {
        queries,
        keys,
        weights: part(weights, index, queries.length * keys.length),
        colourIndex: root ? (weight) => 255 * Math.sqrt(weight / top) : (weight) => weight * factor,
        hidden: hidden && part(hidden, index, queries.length),
        written: this.data.written,
      };
    });
  }

  // Everything but the pictures -------------------------------------------------------------------------------------

  write() {
    const { data, theme } = this;
    this.bar.hidden = !data.summary;
    this.summary.textContent = data.summary;
    this.quantity.textContent = data.texts.weight;
    this.high.textContent = data.perHead ? data.texts.max : data.texts.all;
    this.low.textContent = data.texts.none;
    this.ramp.style.background = `linear-gradient(90deg, ${theme.scale.join(", ")})`;
    while (this.cards.length > data.heads.length) this.cards.pop().root.remove();
    while (this.cards.length < data.heads.length) this.cards.push(this.card(this.cards.length));
    this.grid.classList.toggle("attnviz-heads-one", data.heads.length === 1);
    data.heads.forEach((head, index) => {
      const card = this.cards[index];
      card.name.textContent = head.name;
      const label = head.note ? `${head.text}. ${head.note}` : head.text;
      card.button.setAttribute("aria-label", `${label}. ${data.texts.open}`);
      card.note.textContent = head.note;
      card.note.hidden = !head.note;
      card.heatmap.canvas.setAttribute("aria-label", head.text);
    });
    this.values();
  }

  card(index) {
    const name = make("span", "attnviz-head-name");
    const value = make("span", "attnviz-head-value");
    const button = make("button", "attnviz-head-button", { type: "button" }, [name]);
    const heatmap = new Heatmap();
    const note = make("p", "attnviz-head-note");
    const root = make("div", "attnviz-head", { role: "listitem" }, [
      make("div", "attnviz-head-bar", {}, [button, value]),
      heatmap.root,
      note,
    ]);
    heatmap.root.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") this.move(heatmap.cellUnder(event), index, event);
    });
    heatmap.root.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && this.move(null));
    heatmap.root.addEventListener("click", (event) => {
      if (event.pointerType !== "touch" || !this.tapped(heatmap.cellUnder(event), index, event)) this.open(index);
    });
    button.addEventListener("click", () => this.open(index));
    button.addEventListener("keydown", (event) => this.arrow(event, index));
    button.addEventListener("blur", () => this.move(null));
    this.grid.append(root);
    return { root, name, value, note, button, heatmap };
  }

  /** Which head is open. */
  mark() {
    this.data.heads.forEach((head, index) => {
      const open = head.head === this.data.open;
      this.cards[index].root.classList.toggle("attnviz-head-open", open);
      this.cards[index].button.setAttribute("aria-pressed", open);
    });
    if (this.opening !== undefined && this.opening === this.data.open) {
      this.opening = undefined;
      this.show();
    }
  }

  open(index) {
    this.opening = this.data.heads[index].head;
    this.trigger("open", this.opening);
    if (this.opening === this.data.open) this.mark();
  }

  /** What was opened may lie below the screen: bring it into view, once it has its height. */
  show(tries = 40) {
    const opened = document.querySelector(".st-key-opened");
    if (opened && opened.getBoundingClientRect().height > 200) {
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      opened.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
    } else if (tries > 0) setTimeout(() => this.show(tries - 1), 50);
  }

  /** At the right of each card's title: the weight under the crosshair, else what its strongest colour stands for. */
  values() {
    this.data.heads.forEach((head, index) => {
      const { value } = this.cards[index];
      if (this.at) value.textContent = number(this.weight(index, this.at.query, this.at.key));
      else value.textContent = this.data.perHead ? `${this.data.texts.max} ${number(head.max)}` : "";
      value.classList.toggle("attnviz-head-value-now", Boolean(this.at));
    });
  }

  weight(index, query, key) {
    return this.maps[index].weights[query * this.data.keys.length + key];
  }

  // The crosshair ---------------------------------------------------------------------------------------------------

  /** Whether a tap moved the crosshair; not where it stands already, nor beside the cells. */
  tapped(at, index, event) {
    const same = at && this.at && at.query === this.at.query && at.key === this.at.key && index === this.tappedIndex;
    this.tappedIndex = index;
    if (!at || same) return false;
    this.move(at, index, event);
    return true;
  }

  arrow(event, index) {
    if (event.key === "Escape") this.move(null);
    const to = arrowTo(event, this.at, this.data.queries.length, this.data.keys.length);
    if (to) this.move(to, index);
  }

  move(at, index, event) {
    if (!at && !this.at) return;
    const same = at && this.at && at.query === this.at.query && at.key === this.at.key;
    this.at = at;
    if (!same) {
      this.crosshair();
      this.values();
    }
    if (!at) {
      this.tip.hide();
      return;
    }
    const { queries, keys, texts } = this.data;
    const { hidden } = this.maps[index];
    let text = `${queries[at.query]} → ${keys[at.key]} ${number(this.weight(index, at.query, at.key))}`;
    const share = hidden ? hidden[at.query] : 0;
    if (share > 0) text += `\n${fill(texts.hidden, number(share))}`;
    const { written } = this.data;
    const named = written ? [[queries, "queries", at.query], [keys, "keys", at.key]] : [];
    const own = named.filter(([, side, index]) => written[side][index]).map(([labels, , index]) => labels[index]);
    if (own.length) text += `\n${fill(texts.written, [...new Set(own)].join(", "))}`;
    this.tip.say(text);
    this.tip.moveTo(...(event ? [event.clientX, event.clientY] : this.cards[index].heatmap.cornerOf(at)));
  }

  crosshair() {
    const [rows, columns] = this.at ? [[this.at.query], [this.at.key]] : [[], []];
    this.cards.forEach(({ heatmap }) => heatmap.mark(rows, columns));
  }

  // The pictures ----------------------------------------------------------------------------------------------------

  /** All cards are measured once, for their tokens are the same. */
  draw() {
    this.drawnWidth = this.grid.clientWidth;
    if (!this.drawnWidth || !this.cards.length) return;
    const { data, theme } = this;
    // Two rows of cards fit on a laptop's screen; long sentences get more height.
    const under = data.heads.some((head) => head.note) ? 36 : 0; // for two lines of what a head was measured to do
    const half = (top) => (window.innerHeight - data.above) / 2 - top - 48 - under;
    const shape = this.cards[0].heatmap.measure(this.maps[0], theme, {
      mostCell: MOST_CELL,
      mostLabel: MOST_LABEL,
      labelSize: this.drawnWidth < 500 ? LABEL_SIZE - 1 : LABEL_SIZE,
      axisNames: { rows: data.texts.rows, columns: data.texts.columns },
      cellsHeight: (top) => data.height ?? Math.max(110, Math.min(260, half(top))),
      grows: data.height === null,
    });
    this.cards.forEach(({ heatmap }, index) => heatmap.draw(this.maps[index], this.colours, theme, shape));
    this.crosshair();
  }
}

export default mounted(new WeakMap(), (parent) => new Heads(parent));
