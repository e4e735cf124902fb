// All heads of all layers as one picture: one canvas for every tile, and above it a grid of buttons, one for each head,
// that the pointer and the arrow keys move over. The cell under the pointer is marked in all tiles.

const MOST_TILE = 190; // CSS pixels
const LEAST_TILE = 34;
const LEAST_HEIGHT = 14;
const LABEL = 34; // width of the layers' names
const HEADING = 20; // height of the heads' names
const ONE_LINE = 74; // width of a tile from which a note has one line instead of two
const MOST_SIDE = 16000; // pixels of a canvas that every browser draws
const MOST_WORDS = 48; // characters of a group of tokens that the tip shows

class Mosaic extends Figure {
  build() {
    this.cells = [];
    this.at = null; // {tile, query, key} under the pointer
    this.current = 0; // the tile that the Tab key reaches
    this.summary = make("span", "attnviz-mosaic-summary", { "aria-live": "polite" });
    this.axes = make("span", "attnviz-mosaic-axes");
    this.quantity = make("span", "attnviz-mosaic-quantity");
    this.ramp = make("span", "attnviz-mosaic-ramp");
    this.high = make("span", "");
    const legend = make("span", "attnviz-mosaic-legend", {}, [
      this.axes,
      this.quantity,
      make("span", "attnviz-mosaic-range", {}, [make("span", "", { textContent: "0" }), this.ramp, this.high]),
    ]);
    this.canvas = make("canvas", "attnviz-mosaic-canvas", { role: "img" });
    this.marks = make("canvas", "attnviz-mosaic-canvas attnviz-mosaic-marks", { "aria-hidden": "true" });
    this.grid = make("div", "attnviz-mosaic-grid", { role: "grid" });
    this.stage = make("div", "attnviz-mosaic-stage", {}, [this.canvas, this.marks, this.grid]);
    this.scroller = this.sized = make("div", "attnviz-mosaic-scroller", {}, [this.stage]);
    this.tip = new Tip({ left: 12 });
    this.grid.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") this.move(this.under(event), event);
    });
    this.grid.addEventListener("pointerleave", () => this.move(null));
    this.grid.addEventListener("click", (event) => this.clicked(event));
    this.grid.addEventListener("keydown", (event) => this.pressed(event));
    this.grid.addEventListener("focusin", (event) => this.focused(event));
    this.grid.addEventListener("focusout", () => this.tip.hide());
    this.listenTo(window, "scroll", () => (this.at ? this.move(null) : this.placeTip()), true);
    return make("div", "attnviz-mosaic attnviz-maps attnviz-figure", {}, [
      make("div", "attnviz-mosaic-bar", {}, [this.summary, legend]),
      this.scroller,
      this.tip.root,
    ]);
  }

  receive(before, changed) {
    const { data } = this;
    if (!changed) return;
    if (before?.weights !== data.weights) this.weights = data.fine ? decode(data.weights) : decodeRoughly(data.weights);
    this.hidden = data.hidden ? decode(data.hidden) : null;
    this.colours = lookup(this.theme.scale);
    if (this.at) this.tip.hide(); // else it names the tile that has the focus
    this.at = null;
    this.write();
    this.draw();
  }

  get layers() {
    return this.data.names.length / this.data.heads;
  }

  // Everything but the pictures -------------------------------------------------------------------------------------

  write() {
    const { data, theme } = this;
    const { texts } = data;
    this.summary.textContent = data.summary;
    this.axes.textContent = `${texts.query} ↓  ${texts.key} →`;
    this.quantity.textContent = texts.weight;
    this.high.textContent = data.perHead ? texts.max : texts.all;
    this.ramp.style.background = `linear-gradient(90deg, ${theme.scale.join(", ")})`;
    this.canvas.setAttribute("aria-label", data.summary);
    this.grid.setAttribute("aria-label", data.summary);
    const shape = `${data.rows} ${data.heads}`;
    if (this.grid.dataset.shape !== shape) this.buildTiles(shape);
    data.names.forEach((name, tile) => {
      const { button } = this.cells[tile];
      button.setAttribute("aria-label", `${data.descriptions[tile]}. ${texts.open}`);
      button.dataset.head = name;
    });
    this.notes();
  }

  /** A row of the grid for each layer, with a button for each head. */
  buildTiles(shape) {
    this.grid.dataset.shape = shape;
    this.cells = [];
    const { heads } = this.data;
    const heading = make("div", "attnviz-mosaic-row", { role: "row" }, [make("div", "attnviz-mosaic-corner", { role: "columnheader" })]);
    for (let head = 0; head < heads; head++) {
      heading.append(make("div", "attnviz-mosaic-head", { role: "columnheader", textContent: `H${head}` }));
    }
    const rows = [heading];
    for (let layer = 0; layer < this.layers; layer++) {
      const row = make("div", "attnviz-mosaic-row", { role: "row" }, [
        make("div", "attnviz-mosaic-layer", { role: "rowheader", textContent: this.data.rows[layer] }),
      ]);
      for (let head = 0; head < heads; head++) {
        const text = make("span", "attnviz-mosaic-note");
        const bar = make("span", "attnviz-mosaic-bar-of-note");
        const button = make("button", "attnviz-mosaic-tile", { type: "button", tabIndex: -1 }, [bar, text]);
        button.dataset.tile = this.cells.length;
        this.cells.push({ button, bar, text });
        row.append(make("div", "attnviz-mosaic-cell", { role: "gridcell" }, [button]));
      }
      rows.push(row);
    }
    this.grid.replaceChildren(...rows);
    this.reach(Math.min(this.current, this.cells.length - 1));
  }

  /** Below each tile: the weight at the crosshair, else what the page has to say about the head. */
  notes() {
    const { notes, bars, marked } = this.data;
    this.cells.forEach(({ button, bar, text }, tile) => {
      const note = this.at ? number(this.weight(tile, this.at.query, this.at.key)) : notes[tile];
      if (text.textContent !== note) text.textContent = note;
      text.classList.toggle("attnviz-mosaic-note-now", Boolean(this.at));
      bar.classList.toggle("attnviz-mosaic-no-bar", bars[tile] === null || Boolean(this.at));
      bar.style.setProperty("--share", bars[tile] ?? 0);
      button.classList.toggle("attnviz-mosaic-marked", Boolean(marked?.[tile]));
    });
  }

  weight(tile, query, key) {
    const { queries, keys } = this.data;
    return this.weights[(tile * queries.length + query) * keys.length + key];
  }

  // Pointer and keys ------------------------------------------------------------------------------------------------

  /** The tile and the cell at a place on the screen. */
  under(event) {
    const { shape, data } = this;
    const box = this.stage.getBoundingClientRect();
    const x = event.clientX - box.left - LABEL;
    const y = event.clientY - box.top - HEADING;
    const head = Math.floor(x / shape.stepX);
    const layer = Math.floor(y / shape.stepY);
    const key = Math.floor((x - head * shape.stepX) / shape.cellWidth);
    const query = Math.floor((y - layer * shape.stepY) / shape.cellHeight);
    const inside =
      head >= 0 && head < data.heads && layer >= 0 && layer < this.layers &&
      key >= 0 && key < data.keys.length && query >= 0 && query < data.queries.length;
    return inside ? { tile: layer * data.heads + head, query, key } : null;
  }

  move(at, event) {
    if (!at && !this.at) return;
    const before = this.at;
    this.at = at;
    if (!at) {
      this.mark();
      this.notes();
      this.tip.hide();
      return;
    }
    if (before?.tile !== at.tile || before.query !== at.query || before.key !== at.key) {
      this.mark();
      if (before?.query !== at.query || before?.key !== at.key) this.notes();
      const { queries, keys, texts, names, fine } = this.data;
      const weight = number(this.weight(at.tile, at.query, at.key));
      let text = `${short(queries[at.query])} → ${short(keys[at.key])} ${fine ? weight : fill(texts.about, weight)}`;
      const share = this.hidden ? this.hidden[at.tile * queries.length + at.query] : 0;
      if (share > 0) text += `\n${fill(texts.hidden, number(share))}`;
      this.tip.say(text, names[at.tile]);
    }
    this.placeTip(event);
  }

  clicked(event) {
    const tile = event.target.closest("button")?.dataset.tile;
    if (tile !== undefined) this.trigger("open", { tile: Number(tile), call: Date.now() });
  }

  pressed(event) {
    if (event.key === "Escape") return this.tip.hide();
    const { heads } = this.data;
    const last = this.cells.length - 1;
    const row = Math.floor(this.current / heads) * heads;
    const to = {
      ArrowLeft: this.current - (this.current > row ? 1 : 0),
      ArrowRight: this.current + (this.current < row + heads - 1 ? 1 : 0),
      ArrowUp: this.current >= heads ? this.current - heads : this.current,
      ArrowDown: this.current + heads <= last ? this.current + heads : this.current,
      Home: event.ctrlKey ? 0 : row,
      End: event.ctrlKey ? last : row + heads - 1,
    }[event.key];
    if (to === undefined) return undefined;
    event.preventDefault();
    this.reach(to);
    this.cells[to].button.focus();
    return undefined;
  }

  /** Makes a tile the one that the Tab key reaches. */
  reach(tile) {
    this.current = tile;
    this.cells.forEach(({ button }, other) => (button.tabIndex = other === tile ? 0 : -1));
  }

  focused(event) {
    const tile = event.target.closest("button")?.dataset.tile;
    if (tile === undefined) return;
    this.reach(Number(tile));
    if (!event.target.matches(":focus-visible")) return; // the pointer's own tip is there
    this.move(null);
    const name = this.data.names[tile];
    this.tip.say(this.data.descriptions[tile].slice(name.length + 2), name);
    this.placeTip();
  }

  placeTip(event) {
    if (this.tip.hidden) return;
    const box = this.cells[this.at ? this.at.tile : this.current].button.getBoundingClientRect();
    this.tip.moveTo(event ? event.clientX : box.right - 10, event ? event.clientY : box.top + 10);
  }

  // The picture -----------------------------------------------------------------------------------------------------

  draw() {
    this.drawnWidth = this.scroller.clientWidth;
    if (!this.drawnWidth) return;
    this.shape = this.measure();
    const { shape } = this;
    for (const [name, size] of Object.entries({
      "--tile-width": shape.width,
      "--tile-height": shape.height,
      "--step-x": shape.stepX,
      "--step-y": shape.stepY,
      "--label": LABEL,
      "--heading": HEADING,
    })) {
      this.stage.style.setProperty(name, `${size}px`);
    }
    this.stage.style.width = `${shape.totalWidth}px`;
    this.grid.style.setProperty("--heads", this.data.heads);
    this.root.classList.toggle("attnviz-mosaic-small", shape.tileWidth < ONE_LINE);
    this.scroller.classList.toggle("attnviz-mosaic-wide", shape.totalWidth > this.drawnWidth);
    this.paint();
    this.mark();
  }

  /** Sizes in CSS pixels; cells that are large enough to be seen get whole pixels of the screen. */
  measure() {
    const { data, layers } = this;
    const columns = Math.max(1, data.keys.length);
    const rows = Math.max(1, data.queries.length);
    const room = (this.drawnWidth - LABEL) / data.heads;
    const gap = room >= ONE_LINE ? 10 : 4;
    const tileWidth = Math.floor(Math.min(MOST_TILE, Math.max(LEAST_TILE, room - gap)));
    const square = Math.max(LEAST_HEIGHT, tileWidth * Math.min(1.15, rows / columns));
    const note = tileWidth < ONE_LINE ? 30 : 21;
    // On the screen as a whole where that leaves enough to see: a pixel for each row of a long text.
    const fits = (window.innerHeight - data.above - HEADING) / layers - note - 6;
    const enough = tileWidth < ONE_LINE ? square : Math.max(square * 0.62, Math.min(square, rows));
    const tileHeight = Math.max(LEAST_HEIGHT, Math.min(square, Math.max(fits, enough)));
    const screenRatio = window.devicePixelRatio || 1;
    const stepX = tileWidth + gap;
    const ratio = Math.min(screenRatio, MOST_SIDE / (HEADING + layers * (tileHeight + note + 6)), MOST_SIDE / (LABEL + data.heads * stepX));
    const snap = (size) => (size * ratio >= 6 ? Math.floor(size * ratio) / ratio : size);
    const cellWidth = snap(tileWidth / columns);
    const cellHeight = snap(tileHeight / rows);
    const height = Math.ceil(cellHeight * rows);
    const stepY = height + note + 6;
    return {
      ratio, tileWidth, cellWidth, cellHeight, width: cellWidth * columns, height, stepX, stepY,
      totalWidth: LABEL + data.heads * stepX, totalHeight: HEADING + layers * stepY,
    };
  }

  context(canvas) {
    const { ratio, totalWidth, totalHeight } = this.shape;
    canvas.style.width = `${totalWidth}px`;
    return openCanvas(canvas, totalWidth, totalHeight, ratio);
  }

  corner(tile) {
    const { stepX, stepY } = this.shape;
    return [LABEL + (tile % this.data.heads) * stepX, HEADING + Math.floor(tile / this.data.heads) * stepY];
  }

  paint() {
    const { shape, theme, data } = this;
    const [columns, rows] = [data.keys.length, data.queries.length];
    const context = this.context(this.canvas);
    if (!columns || !rows) return;
    // A pixel for each cell, the heads one under the other.
    const factors = data.most.map((most) => 255 / (data.perHead ? most || 1 : data.top));
    const size = columns * rows;
    const even = (weight, cell) => weight * factors[Math.floor(cell / size)];
    const colourIndex = data.root ? (weight) => 255 * Math.sqrt(weight / data.top) : even;
    const image = cellImage(rows * data.names.length, columns, this.weights, this.colours, colourIndex);
    smoothCells(context, Math.min(shape.cellWidth, shape.cellHeight) * shape.ratio);
    data.names.forEach((_, tile) => {
      const [left, top] = this.corner(tile);
      const pale = (data.marked && !data.marked[tile]) || data.off?.[tile];
      context.globalAlpha = pale ? 0.3 : 1;
      context.drawImage(image, 0, tile * rows, columns, rows, left, top, shape.width, shape.height);
      context.globalAlpha = 1;
      frameMap(context, theme, { ...shape, left, top });
      if (data.off?.[tile]) this.strike(context, left, top);
    });
  }

  /** A line through a head that is switched off. */
  strike(context, left, top) {
    const { shape, theme } = this;
    context.strokeStyle = theme.text;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(left, top + shape.height);
    context.lineTo(left + shape.width, top);
    context.stroke();
  }

  /** The cell under the pointer in every tile; in its own also its row and its column. */
  mark() {
    if (!this.shape) return;
    if (!this.at) {
      // No room for nothing: what was as wide as the screen once would keep a narrower one from fitting.
      openCanvas(this.marks, 0, 0, 1);
      this.marks.style.width = "0";
      return;
    }
    const context = this.context(this.marks);
    const { shape, theme, at } = this;
    const width = Math.max(6, shape.cellWidth + 2);
    const height = Math.max(6, shape.cellHeight + 2);
    this.data.names.forEach((_, tile) => {
      const [left, top] = this.corner(tile);
      const x = left + (at.key + 0.5) * shape.cellWidth - width / 2;
      const y = top + (at.query + 0.5) * shape.cellHeight - height / 2;
      context.strokeStyle = theme.accent;
      if (tile === at.tile) {
        context.lineWidth = 1;
        context.globalAlpha = 0.6;
        context.strokeRect(left - 0.5, y + 0.5, shape.width + 1, height - 1);
        context.strokeRect(x + 0.5, top - 0.5, width - 1, shape.height + 1);
        context.globalAlpha = 1;
      }
      context.lineWidth = 3;
      context.strokeStyle = theme.background;
      context.strokeRect(x, y, width, height);
      context.lineWidth = 1.5;
      context.strokeStyle = theme.accent;
      context.strokeRect(x, y, width, height);
    });
  }
}

/** Numbers in [0, 1] from base64 of a byte each: steps of 1/255 of their square root. */
function decodeRoughly(text) {
  const bytes = atob(text);
  const weights = new Float32Array(bytes.length);
  for (let index = 0; index < bytes.length; index++) {
    const root = bytes.charCodeAt(index) / 255;
    weights[index] = root * root;
  }
  return weights;
}

/** The beginning and the end of what a group of many tokens says; never half of a surrogate pair. */
function short(label) {
  const characters = Array.from(label);
  if (characters.length <= MOST_WORDS) return label;
  return `${characters.slice(0, MOST_WORDS / 2).join("")} … ${characters.slice(-MOST_WORDS / 2).join("")}`;
}

export default mounted(new WeakMap(), (parent) => new Mosaic(parent));
