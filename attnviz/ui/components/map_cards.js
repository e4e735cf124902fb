// Maps side by side, each under its name. What is pointed at in one is marked in all: at the same place where the words
// are the same, else at the same word. Components that show several maps extend MapCards.

const CARD_LAYOUT = { mostCell: 52, mostLabel: 96, grows: true }; // CSS pixels; as Heatmap.measure takes it
const NARROW_CARD = 300; // CSS pixels of a picture whose labels are smaller
const NUMBER_ROOM = { width: 29, height: 15 }; // CSS pixels of a cell that its number fits into

/**
 * A component says in `view(figure)` what a map's card has: its `heatmap`, its `name` (a button, where the arrow keys begin)
 * and its `value`, beside the name; and in `height()` how high a map is at most. Its data has `axes`, `perHead`, `root`, `top` and
 * `texts`, as `map_data.py` makes them.
 */
class MapCards extends Figure {
  /** Called once, by `build`. */
  startPointing() {
    this.figures = [];
    this.at = null; // {figure, query, key} that is pointed at; query or key is null on a word alone
    this.pinned = null; // likewise, kept by a click
    this.tip = new Tip();
    this.listenTo(window, "scroll", () => this.look(null), true);
  }

  /** The maps of the cards, in their order, and of a difference, if there is one; null where there is none. */
  decode(...groups) {
    const { perHead, root, top, axes } = this.data;
    this.axes = axes;
    this.at = this.pinned = null;
    this.figures = groups.flat().map((one) => {
      if (!one?.weights) return null;
      const signed = Boolean(one.signed);
      const end = one.factor ?? (perHead ? one.max || 1 : top);
      const even = (weight) => (255 * weight) / end;
      const unsigned = root ? (weight) => 255 * Math.sqrt(Math.max(0, weight) / top) : even;
      return {
        signed, max: one.factor ?? one.max,
        queryAxis: one.queries, keyAxis: one.keys,
        queries: axes[one.queries].labels, keys: axes[one.keys].labels,
        written: { queries: axes[one.queries].written ?? [], keys: axes[one.keys].written ?? [] },
        hidden: one.hidden ? decode(one.hidden) : null,
        // A difference, -1 … 1, comes as 0 … 1; numbers that may be larger come as shares of the largest, their factor.
        weights: decode(one.weights).map(signed ? (half) => 2 * half - 1 : (share) => share * (one.factor ?? 1)),
        colourIndex: signed ? (weight) => 127.5 + (127.5 * weight) / one.top : unsigned,
      };
    });
  }

  // Pointing --------------------------------------------------------------------------------------------------------

  /** `figure` gives the place of the card's map among all maps. */
  listen(card, figure) {
    const { root } = card.heatmap;
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
    this.tip.moveTo(...(event ? [event.clientX, event.clientY] : this.view(cell.figure).heatmap.cornerOf(cell)));
  }

  /** "sah → Hund 0.42"; a word alone with its strongest. */
  spoken({ figure, query, key }) {
    const map = this.figures[figure];
    const parts = [this.read(figure, query === null ? [] : [query], key === null ? [] : [key])];
    if (query !== null && key !== null) parts[0] = `${map.queries[query]} → ${map.keys[key]} ${parts[0]}`;
    else if (query !== null) parts[0] = `${map.queries[query]} ${parts[0]}`;
    else parts[0] = `${parts[0]} (→ ${map.keys[key]})`;
    const share = map.hidden && query !== null && !map.signed ? map.hidden[query] : 0;
    if (share > 0) parts.push(fill(this.data.texts.hidden, number(share)));
    return parts.join("\n");
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
      this.view(figure).heatmap.mark(...(this.at ? this.rowsAndColumns(figure) : [[], []]));
    });
  }

  /** At the right of each title: what is pointed at, else what the strongest colour stands for. */
  values() {
    this.figures.forEach((map, figure) => {
      const { value } = this.view(figure);
      const own = this.data.perHead && map && !map.signed ? fill(this.data.texts.max, number(map.max)) : "";
      value.textContent = !map ? "" : this.at ? this.read(figure, ...this.rowsAndColumns(figure)) : own;
      value.classList.toggle("attnviz-panel-value-now", Boolean(this.at));
    });
  }

  /** A cell's number, summed over a key's pieces and averaged over a query's; the strongest of a row or a column. */
  read(figure, rows, columns) {
    const { queries, keys, weights, signed } = this.figures[figure];
    const say = signed ? signedNumber : number;
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
    this.drawnWidth = this.sized.clientWidth;
    if (!this.drawnWidth) return;
    const height = this.height();
    const weights = lookup(this.theme.scale);
    const differences = lookup(this.theme.signedScale);
    this.figures.forEach((map, figure) => {
      if (!map) return;
      const { heatmap } = this.view(figure);
      const shape = heatmap.measure(map, this.theme, {
        ...CARD_LAYOUT,
        labelSize: heatmap.root.clientWidth < NARROW_CARD ? LABEL_SIZE - 1 : LABEL_SIZE,
        cellsHeight: (top) => height - top,
      });
      heatmap.draw(map, map.signed ? differences : weights, this.theme, shape);
      if (shape && this.data.numbers) writeNumbers(heatmap, map.signed ? differences : weights);
    });
    this.markAll();
  }
}

/** The numbers of cells that have room for them, dark on light colours and light on dark ones. */
function writeNumbers({ map, shape, canvas }, colours) {
  const { left, top, cellWidth, cellHeight } = shape;
  if (cellWidth < NUMBER_ROOM.width || cellHeight < NUMBER_ROOM.height) return;
  const context = canvas.getContext("2d");
  context.font = shape.font;
  context.textAlign = "center";
  context.textBaseline = "middle";
  const columns = map.keys.length;
  map.weights.forEach((weight, cell) => {
    const colour = colours[Math.max(0, Math.min(255, Math.round(map.colourIndex(weight, cell))))];
    const channels = [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
    context.fillStyle = luminance(channels) > 0.3 ? "#10151b" : "#f4f6f8";
    const [x, y] = [left + ((cell % columns) + 0.5) * cellWidth, top + (Math.floor(cell / columns) + 0.5) * cellHeight];
    const text = map.signed ? signedNumber(weight) : local(weight.toFixed(2));
    if (Math.abs(weight) >= 0.005) context.fillText(text, x, y);
  });
}

/** "+0.42", "−0.31". */
function signedNumber(value) {
  const text = number(Math.abs(value));
  return Math.abs(value) < 0.0005 ? "0.00" : `${value < 0 ? "−" : "+"}${text}`;
}
