// All heads of a layer as a grid of heatmaps. Each card is a canvas under a button; the pointer or the arrow keys move
// one crosshair through all of them, and the number at it stands in every card. A finger has no pointer to rest: the
// first tap on a cell says its number, a second one there opens the head, as its button does.

const MOST_CELL = 44; // CSS pixels
const LEAST_ROW = 9; // of height for each query before the card grows no further than a square
const LABEL_SIZE = 11;
const SLANT = (-52 * Math.PI) / 180; // of key labels that are wider than their column

class Heads {
  constructor(parent) {
    this.parent = parent;
    this.cards = [];
    this.at = null; // {query, key} under the crosshair
    this.summary = make("span", "attnviz-heads-summary", { "aria-live": "polite" });
    this.ramp = make("span", "attnviz-heads-ramp");
    this.low = make("span", "");
    this.high = make("span", "");
    this.quantity = make("span", "attnviz-heads-quantity");
    this.legend = make("span", "attnviz-heads-legend", {}, [this.quantity, this.low, this.ramp, this.high]);
    this.grid = make("div", "attnviz-heads-grid", { role: "list" });
    this.tip = make("div", "attnviz-tip", { role: "status", hidden: true });
    this.bar = make("div", "attnviz-heads-bar", {}, [this.summary, this.legend]);
    this.root = make("div", "attnviz-heads attnviz-figure", {}, [
      this.bar,
      this.grid,
      this.tip,
    ]);
    parent.append(this.root);
    this.watch = new ResizeObserver(() => this.resized());
    this.watch.observe(this.root);
    this.hideTip = () => this.move(null);
    window.addEventListener("scroll", this.hideTip, true);
    this.elsewhere = (event) => this.grid.contains(event.target) || this.move(null);
    document.addEventListener("pointerdown", this.elsewhere);
  }

  destroy() {
    this.watch.disconnect();
    window.removeEventListener("scroll", this.hideTip, true);
    document.removeEventListener("pointerdown", this.elsewhere);
    this.root.remove();
  }

  update(data, trigger) {
    if (!data) return;
    this.trigger = trigger;
    const theme = readTheme(this.root);
    const redraw = this.data?.picture !== data.picture || this.theme?.name !== theme.name;
    this.data = data;
    this.theme = theme;
    if (redraw) {
      this.colours = lookup(theme.scale);
      this.weights = decode(data.weights);
      this.hidden = data.hidden ? decode(data.hidden) : null;
      this.move(null);
      this.write();
      this.draw();
    }
    this.mark();
    this.root.dataset.attnvizRun = data.run;
  }

  resized() {
    if (this.data && Math.abs(this.grid.clientWidth - this.drawnWidth) > 1) this.draw();
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
    data.heads.forEach((head, place) => {
      const card = this.cards[place];
      card.name.textContent = head.name;
      const said = head.note ? `${head.text}. ${head.note}` : head.text;
      card.button.setAttribute("aria-label", `${said}. ${data.texts.open}`);
      card.note.textContent = head.note;
      card.note.hidden = !head.note;
      card.canvas.setAttribute("aria-label", head.text);
    });
    this.values();
  }

  card(place) {
    const name = make("span", "attnviz-head-name");
    const value = make("span", "attnviz-head-value");
    const button = make("button", "attnviz-head-button", { type: "button" }, [name]);
    const canvas = make("canvas", "attnviz-head-canvas", { role: "img" });
    const marks = ["label", "label", "row", "column", "cell"].map((part) => make("div", `attnviz-mark attnviz-mark-${part}`));
    const picture = make("div", "attnviz-head-picture", {}, [canvas, ...marks]);
    const note = make("p", "attnviz-head-note");
    const root = make("div", "attnviz-head", { role: "listitem" }, [
      make("div", "attnviz-head-bar", {}, [button, value]),
      picture,
      note,
    ]);
    picture.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") this.move(this.cellAt(picture, event), place, event);
    });
    picture.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && this.move(null));
    picture.addEventListener("click", (event) => {
      if (event.pointerType !== "touch" || !this.tapped(this.cellAt(picture, event), place, event)) this.open(place);
    });
    button.addEventListener("click", () => this.open(place));
    button.addEventListener("keydown", (event) => this.arrow(event, place));
    button.addEventListener("blur", () => this.move(null));
    this.grid.append(root);
    return { root, name, value, note, button, picture, canvas, marks };
  }

  /** Which head is open. */
  mark() {
    this.data.heads.forEach((head, place) => {
      const open = head.head === this.data.open;
      this.cards[place].root.classList.toggle("attnviz-head-open", open);
      this.cards[place].button.setAttribute("aria-pressed", open);
    });
    if (this.opening !== undefined && this.opening === this.data.open) {
      this.opening = undefined;
      this.show();
    }
  }

  open(place) {
    this.opening = this.data.heads[place].head;
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
    this.data.heads.forEach((head, place) => {
      const { value } = this.cards[place];
      if (this.at) value.textContent = number(this.weight(place, this.at.query, this.at.key));
      else value.textContent = this.data.perHead ? `${this.data.texts.max} ${number(head.max)}` : "";
      value.classList.toggle("attnviz-head-value-now", Boolean(this.at));
    });
  }

  weight(place, query, key) {
    const { queries, keys } = this.data;
    return this.weights[(place * queries.length + query) * keys.length + key];
  }

  // The crosshair ---------------------------------------------------------------------------------------------------

  cellAt(picture, event) {
    const box = picture.getBoundingClientRect();
    const shape = this.shape;
    const key = Math.floor((event.clientX - box.left - shape.left) / shape.cellWidth);
    const query = Math.floor((event.clientY - box.top - shape.top) / shape.cellHeight);
    const inside = key >= 0 && query >= 0 && key < this.data.keys.length && query < this.data.queries.length;
    return inside ? { query, key } : null;
  }

  /** Whether a tap moved the crosshair; not where it stands already, nor beside the cells. */
  tapped(at, place, event) {
    const same = at && this.at && at.query === this.at.query && at.key === this.at.key && place === this.tappedPlace;
    this.tappedPlace = place;
    if (!at || same) return false;
    this.move(at, place, event);
    return true;
  }

  arrow(event, place) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (event.key === "Escape") this.move(null);
    if (!step || !this.weights.length) return;
    event.preventDefault();
    const { queries, keys } = this.data;
    const from = this.at ?? { query: 0, key: 0 };
    const [down, right] = this.at ? step : [0, 0];
    const query = Math.min(queries.length - 1, Math.max(0, from.query + down));
    const key = Math.min(keys.length - 1, Math.max(0, from.key + right));
    this.move({ query, key }, place);
  }

  move(at, place, event) {
    if (!at && !this.at) return;
    const same = at && this.at && at.query === this.at.query && at.key === this.at.key;
    this.at = at;
    if (!same && this.data) {
      this.marks();
      this.values();
    }
    this.tip.hidden = !at;
    if (!at) return;
    const { queries, keys, texts } = this.data;
    let text = `${queries[at.query]} → ${keys[at.key]} ${number(this.weight(place, at.query, at.key))}`;
    const share = this.hidden ? this.hidden[place * queries.length + at.query] : 0;
    if (share > 0) text += `\n${fill(texts.hidden, number(share))}`;
    if (this.tip.textContent !== text) this.tip.textContent = text;
    this.placeTip(place, event);
  }

  placeTip(place, event) {
    const box = this.cards[place].picture.getBoundingClientRect();
    const { left, top, cellWidth, cellHeight } = this.shape;
    const x = event ? event.clientX : box.left + left + (this.at.key + 1) * cellWidth;
    const y = event ? event.clientY : box.top + top + (this.at.query + 1) * cellHeight;
    const width = this.tip.offsetWidth;
    const height = this.tip.offsetHeight;
    const beside = x + 14 + width > document.documentElement.clientWidth ? x - 10 - width : x + 14;
    const under = y + 16 + height > window.innerHeight ? y - 10 - height : y + 16;
    this.tip.style.transform = `translate(${Math.max(4, beside)}px, ${Math.max(4, under)}px)`;
  }

  marks() {
    const shape = this.shape;
    for (const { marks } of this.cards) {
      marks.forEach((mark) => (mark.style.display = this.at ? "block" : "none"));
      if (!this.at) continue;
      const x = shape.left + this.at.key * shape.cellWidth;
      const y = shape.top + this.at.query * shape.cellHeight;
      const place = (mark, left, top, width, height) => {
        mark.style.transform = `translate(${left}px, ${top}px)`;
        mark.style.width = `${width}px`;
        mark.style.height = `${height}px`;
      };
      const [rowLabel, keyLabel, row, column, cell] = marks;
      place(rowLabel, 0, y, shape.left - 2, shape.cellHeight);
      place(keyLabel, x, shape.slanted ? shape.top - 4 : 0, shape.cellWidth, shape.slanted ? 4 : shape.top - 2);
      place(row, shape.left, y, shape.width, shape.cellHeight);
      place(column, x, shape.top, shape.cellWidth, shape.height);
      place(cell, x - 1, y - 1, shape.cellWidth + 2, shape.cellHeight + 2);
    }
  }

  // The pictures ----------------------------------------------------------------------------------------------------

  draw() {
    this.drawnWidth = this.grid.clientWidth;
    if (!this.drawnWidth || !this.cards.length) return;
    const ratio = window.devicePixelRatio || 1;
    this.shape = this.measure(this.cards[0].picture.clientWidth, ratio);
    this.cards.forEach((card, place) => this.paint(card, place, ratio));
    this.marks();
  }

  font() {
    const size = this.drawnWidth < 500 ? LABEL_SIZE - 1 : LABEL_SIZE;
    return `${size}px ${this.theme.font}`;
  }

  /** Where things are in a card; the same in all of them, for their tokens are the same. */
  measure(width, ratio) {
    const { queries, keys } = this.data;
    const context = this.cards[0].canvas.getContext("2d");
    context.font = this.font();
    const room = Math.max(28, Math.min(84, width * 0.3));
    const queryLabels = queries.map((label) => shorten(context, label, room));
    const keyLabels = keys.map((label) => shorten(context, label, room));
    const widths = keyLabels.map((label) => context.measureText(label).width);
    const { rows } = this.data.texts;
    const left = Math.ceil(Math.max(...[rows, ...queryLabels].map((label) => context.measureText(label).width))) + 7;
    const bar = this.hidden ? Math.max(12, Math.min(26, width * 0.08)) : 0;
    const parts = { left, bar, queryLabels, keyLabels, widths, total: width, ratio };
    const straight = this.fit(parts, false);
    const crowded = widths.some((label) => label > straight.cellWidth - 2);
    return crowded ? this.fit(parts, true) : straight;
  }

  fit(parts, slanted) {
    const { left, bar, widths, total, ratio } = parts;
    const columns = Math.max(1, this.data.keys.length);
    const rows = Math.max(1, this.data.queries.length);
    // Slanted labels of the last keys lean out of the map and need room beyond it.
    const lean = (cell) => Math.max(0, ...widths.map((label, key) => label * Math.cos(SLANT) - (columns - key - 0.5) * cell));
    const across = (right) => Math.max(20, total - left - right - 1);
    let right = bar ? bar + 5 : 0;
    if (slanted) right = Math.max(right, lean(Math.min(MOST_CELL, across(right) / columns)));
    const top = Math.ceil(slanted ? Math.max(0, ...widths) * -Math.sin(SLANT) + 9 : LABEL_SIZE + 6) + LABEL_SIZE + 3;
    let cellWidth = Math.min(MOST_CELL, across(right) / columns);
    // Two rows of cards fit on a laptop's screen; long sentences get more height, up to a square.
    const under = this.data.heads.some((head) => head.note) ? 36 : 0; // for two lines of what a head was measured to do
    const fits =
      this.data.height ?? Math.max(110, Math.min(260, (window.innerHeight - this.data.above) / 2 - top - 48 - under));
    const grown = Math.max(fits, Math.min(rows * LEAST_ROW, across(right)));
    let cellHeight = Math.min(Math.max(cellWidth, 14), (this.data.height ? fits : grown) / rows);
    cellWidth = Math.min(cellWidth, Math.max(cellHeight * 1.6, 14));
    const whole = (size) => (size * ratio >= 2 ? Math.floor(size * ratio) / ratio : size);
    cellWidth = whole(cellWidth);
    cellHeight = whole(cellHeight);
    return { ...parts, top, cellWidth, cellHeight, slanted, width: cellWidth * columns, height: cellHeight * rows };
  }

  paint(card, place, ratio) {
    const { shape, theme } = this;
    const { queries, keys } = this.data;
    const { canvas } = card;
    const height = Math.ceil(shape.top + shape.height + 3);
    canvas.width = Math.round(shape.total * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (!keys.length || !queries.length) return;

    const image = this.image(place);
    context.imageSmoothingEnabled = shape.cellWidth * ratio < 2;
    context.imageSmoothingQuality = "high";
    context.drawImage(image, shape.left, shape.top, shape.width, shape.height);
    this.lines(context, ratio);
    if (this.hidden) this.bars(context, place);

    context.font = this.font();
    context.fillStyle = theme.text;
    context.textBaseline = "middle";
    this.axisNames(context);
    context.textAlign = "right";
    const every = (size) => Math.max(1, Math.ceil((LABEL_SIZE - 2) / size));
    const apart = shape.slanted ? -Math.sin(SLANT) : 1; // slanted lines of text come closer to each other
    for (let query = 0; query < queries.length; query += every(shape.cellHeight)) {
      context.fillText(shape.queryLabels[query], shape.left - 5, shape.top + (query + 0.5) * shape.cellHeight);
    }
    context.textAlign = shape.slanted ? "left" : "center";
    for (let key = 0; key < keys.length; key += every(shape.cellWidth * apart)) {
      context.save();
      context.translate(shape.left + (key + 0.5) * shape.cellWidth, shape.top - (shape.slanted ? 5 : 8));
      if (shape.slanted) context.rotate(SLANT);
      context.fillText(shape.keyLabels[key], 0, 0);
      context.restore();
    }
  }

  /** In the corner that the labels leave free: which words look, and which are looked at. */
  axisNames(context) {
    const { shape, data } = this;
    context.globalAlpha = 0.7;
    context.textAlign = "left";
    context.fillText(data.texts.columns, 0, LABEL_SIZE / 2 + 2);
    context.textAlign = "right";
    context.fillText(data.texts.rows, shape.left - 5, shape.top - 8);
    context.globalAlpha = 1;
  }

  /** One pixel for each cell. */
  image(place) {
    const { queries, keys, heads, perHead } = this.data;
    const size = queries.length * keys.length;
    const image = (this.scratch ??= make("canvas"));
    image.width = keys.length;
    image.height = queries.length;
    const context = image.getContext("2d");
    const pixels = context.createImageData(keys.length, queries.length);
    const target = new Uint32Array(pixels.data.buffer);
    const factor = 255 / (perHead ? heads[place].max || 1 : 1);
    for (let cell = 0; cell < size; cell++) {
      target[cell] = this.colours[Math.min(255, Math.round(this.weights[place * size + cell] * factor))];
    }
    context.putImageData(pixels, 0, 0);
    return image;
  }

  /** A frame, and hairlines between cells that are large enough to be looked at one by one. */
  lines(context, ratio) {
    const { shape, theme } = this;
    const { queries, keys } = this.data;
    const hair = 1 / ratio;
    if (Math.min(shape.cellWidth, shape.cellHeight) >= 8) {
      context.fillStyle = theme.background;
      context.globalAlpha = 0.75;
      for (let key = 1; key < keys.length; key++) {
        context.fillRect(shape.left + key * shape.cellWidth, shape.top, hair, shape.height);
      }
      for (let query = 1; query < queries.length; query++) {
        context.fillRect(shape.left, shape.top + query * shape.cellHeight, shape.width, hair);
      }
      context.globalAlpha = 1;
    }
    context.strokeStyle = theme.line;
    context.lineWidth = hair;
    context.strokeRect(shape.left - hair / 2, shape.top - hair / 2, shape.width + hair, shape.height + hair);
  }

  /** At the right of each row: the share of its attention that is not shown. */
  bars(context, place) {
    const { shape, theme } = this;
    const rows = this.data.queries.length;
    const left = shape.left + shape.width + 4;
    context.fillStyle = theme.text;
    for (let query = 0; query < rows; query++) {
      const top = shape.top + query * shape.cellHeight;
      const thick = Math.max(1, Math.min(6, shape.cellHeight * 0.5));
      context.globalAlpha = 0.12;
      context.fillRect(left, top + (shape.cellHeight - thick) / 2, shape.bar, thick);
      context.globalAlpha = 0.55;
      const share = this.hidden[place * rows + query];
      context.fillRect(left, top + (shape.cellHeight - thick) / 2, shape.bar * share, thick);
    }
    context.globalAlpha = 1;
  }
}

export default mounted(new WeakMap(), (parent) => new Heads(parent));
