// One head's map on a canvas: cells, hairlines, labels, bars for what is hidden, and marks over it. First comes what any
// drawing of weights needs, then the Heatmap with its labels, of which a component shows as many as it has heads.

const LABEL_SIZE = 11; // CSS pixels
const LEAST_LABEL = 28; // CSS pixels that a label may be wide on the narrowest picture
const LEAST_ROW = 9; // CSS pixels of height for each query before a picture grows no further than a square
const MANY = 60; // positions on an axis beyond which the map needs the room more than its labels do
const SLANT = (-52 * Math.PI) / 180; // of key labels that are wider than their column

let cellCanvas; // one for all images: each is drawn where it belongs before the next is made

/**
 * A canvas with one pixel for each cell, as it is until the next call. `colourIndex(weight, cell)` is where a weight is on
 * the scale of 256 colours, below 0 and above 255 as those.
 */
function cellImage(rows, columns, weights, colours, colourIndex) {
  cellCanvas ??= make("canvas");
  cellCanvas.width = columns;
  cellCanvas.height = rows;
  const context = cellCanvas.getContext("2d");
  const pixels = context.createImageData(columns, rows);
  const target = new Uint32Array(pixels.data.buffer);
  for (let cell = 0; cell < target.length; cell++) {
    target[cell] = colours[Math.max(0, Math.min(255, Math.round(colourIndex(weights[cell], cell))))];
  }
  context.putImageData(pixels, 0, 0);
  return cellCanvas;
}

/** Cells have sharp edges, unless they are smaller than two pixels of the screen. */
function smoothCells(context, size) {
  context.imageSmoothingEnabled = size < 2;
  context.imageSmoothingQuality = "high";
}

/** The thinnest line of the screen around a map. */
function frameMap(context, theme, { left, top, width, height, ratio }) {
  const hair = 1 / ratio;
  context.strokeStyle = theme.line;
  context.lineWidth = hair;
  context.strokeRect(left - hair / 2, top - hair / 2, width + hair, height + hair);
}

/**
 * The labels that are written, [position, label] each, at least `every` positions apart. Where some are left out, words are
 * taken rather than full stops, and without the number of their occurrence: the others of that name are not there.
 */
function spacedLabels(labels, every) {
  if (every <= 1) return labels.map((label, position) => [position, label]);
  const spaced = [];
  for (let position = 0; position < labels.length; position += every) {
    const near = labels.slice(position, position + Math.ceil(every / 2)).findIndex((label) => /[\p{L}\p{Nd}]/u.test(label));
    position += Math.max(0, near);
    spaced.push([position, labels[position].replace(/[₀-₉]+$/u, "") || labels[position]]);
  }
  return spaced;
}

/** The labels of keys above their columns, every n-th; slanted, or with their middles over the columns' middles. */
function writeKeyLabels(context, labels, every, { left, top, cellWidth, slanted }, above = slanted ? 5 : 8, written = null) {
  context.textBaseline = "middle";
  context.textAlign = slanted ? "left" : "center";
  for (const [key, label] of spacedLabels(labels, every)) {
    context.save();
    context.translate(left + (key + 0.5) * cellWidth, top - above);
    if (slanted) context.rotate(SLANT);
    context.fillText(label, 0, 0);
    if (written?.[key]) underline(context, label, 0, 0);
    context.restore();
  }
}

/** A dotted line under a label that was just written at a place: the model wrote that token, nobody typed it. */
function underline(context, label, x, y) {
  const width = context.measureText(label).width;
  const left = { left: x, right: x - width, center: x - width / 2 }[context.textAlign];
  context.save();
  context.strokeStyle = context.fillStyle;
  context.lineWidth = 1;
  context.setLineDash([1, 2]);
  context.beginPath();
  context.moveTo(left, y + LABEL_SIZE / 2 + 1.5);
  context.lineTo(left + width, y + LABEL_SIZE / 2 + 1.5);
  context.stroke();
  context.restore();
}

/** The cell that an arrow key leads to: the first one where there is none yet; undefined for another key. */
function arrowTo(event, from, rows, columns) {
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const step = steps[event.key];
  if (!step || !rows || !columns) return undefined;
  event.preventDefault();
  if (!from) return { query: 0, key: 0 };
  const within = (value, count) => Math.max(0, Math.min(count - 1, value));
  return { query: within(from.query + step[0], rows), key: within(from.key + step[1], columns) };
}

/**
 * One map with its labels, and marks over it.
 *
 * A map has `queries` and `keys`, its labels; `weights`, row by row; `colourIndex(weight)`, where a weight is on the scale
 * of 256 colours; `hidden`, for each query the share that is not shown, or null; and `written`, where there are any, of
 * which queries and keys the model wrote the tokens.
 */
class Heatmap {
  constructor() {
    this.canvas = make("canvas", "attnviz-heatmap-canvas", { role: "img" });
    this.marks = make("div", "attnviz-heatmap-marks", { "aria-hidden": "true" });
    this.root = make("div", "attnviz-heatmap", {}, [this.canvas, this.marks]);
  }

  /**
   * Where the parts of a map are, in CSS pixels; null while it has no width. Maps with the same labels can share it.
   *
   * `layout` says how they may be:
   *   mostCell    width of a cell at most
   *   mostLabel   width of a label at most; less on a narrow picture
   *   labelSize   of the labels' type
   *   axisNames   what rows and columns are, { rows, columns }, in the corner that the labels leave free; none without
   *   cellsHeight how high all rows are together, where `top` pixels are above them
   *   grows       whether many rows may be higher together, up to a square
   */
  measure(map, theme, layout) {
    const width = this.root.clientWidth;
    if (!width) return null;
    const context = this.canvas.getContext("2d");
    const font = (context.font = `${layout.labelSize}px ${theme.font}`);
    const many = Math.max(map.queries.length, map.keys.length) > MANY;
    const room = Math.max(LEAST_LABEL, Math.min(layout.mostLabel, width * (many ? 0.18 : 0.3)));
    const [queryLabels, keyLabels] = [map.queries, map.keys].map((labels) => labels.map((one) => shorten(context, one, room)));
    const wide = (label) => context.measureText(label).width;
    const beside = layout.axisNames ? [layout.axisNames.rows, ...queryLabels] : queryLabels;
    const left = Math.ceil(Math.max(0, ...beside.map(wide))) + 7;
    const bar = map.hidden ? Math.max(12, Math.min(26, width * 0.08)) : 0;
    const { axisNames } = layout;
    const ratio = window.devicePixelRatio || 1;
    const parts = { left, bar, queryLabels, keyLabels, font, axisNames, widths: keyLabels.map(wide), total: width, ratio };
    const straight = this.fit(parts, layout, false);
    return parts.widths.some((label) => label > straight.cellWidth - 2) ? this.fit(parts, layout, true) : straight;
  }

  fit(parts, { mostCell, cellsHeight, grows }, slanted) {
    const { left, bar, widths, total, ratio } = parts;
    const columns = Math.max(1, parts.keyLabels.length);
    const rows = Math.max(1, parts.queryLabels.length);
    // Slanted labels of the last keys lean out of the map and need room beyond it.
    const lean = (cell) => Math.max(0, ...widths.map((label, key) => label * Math.cos(SLANT) - (columns - key - 0.5) * cell));
    const across = (right) => Math.max(20, total - left - right - 1);
    let right = bar ? bar + 5 : 0;
    if (slanted) right = Math.max(right, lean(Math.min(mostCell, across(right) / columns)));
    const names = parts.axisNames ? LABEL_SIZE + 3 : 0;
    const top = Math.ceil(slanted ? Math.max(0, ...widths) * -Math.sin(SLANT) + 9 : LABEL_SIZE + 6) + names;
    let cellWidth = Math.min(mostCell, across(right) / columns);
    const wanted = cellsHeight(top);
    const all = grows ? Math.max(wanted, Math.min(rows * LEAST_ROW, across(right))) : wanted;
    let cellHeight = Math.min(Math.max(cellWidth, 14), all / rows);
    cellWidth = Math.min(cellWidth, Math.max(cellHeight * 1.6, 14));
    const snap = (size) => (size * ratio >= 2 ? Math.floor(size * ratio) / ratio : size);
    cellWidth = snap(cellWidth);
    cellHeight = snap(cellHeight);
    return { ...parts, top, cellWidth, cellHeight, slanted, width: cellWidth * columns, height: cellHeight * rows };
  }

  draw(map, colours, theme, shape) {
    this.map = map;
    this.shape = shape;
    if (!shape) return;
    const { left, top, width, height, total, ratio } = shape;
    const context = openCanvas(this.canvas, total, Math.ceil(top + height + 3), ratio);
    if (!map.keys.length || !map.queries.length) return;
    smoothCells(context, shape.cellWidth * ratio);
    const image = cellImage(map.queries.length, map.keys.length, map.weights, colours, map.colourIndex);
    context.drawImage(image, left, top, width, height);
    this.lines(context, theme);
    if (map.hidden) this.bars(context, theme);
    this.labels(context, theme);
  }

  /** A frame, and hairlines between cells that are large enough to be looked at one by one. */
  lines(context, theme) {
    const { left, top, width, height, cellWidth, cellHeight, ratio } = this.shape;
    if (Math.min(cellWidth, cellHeight) >= 8) {
      context.fillStyle = theme.background;
      context.globalAlpha = 0.75;
      this.map.keys.forEach((_, key) => key && context.fillRect(left + key * cellWidth, top, 1 / ratio, height));
      this.map.queries.forEach((_, query) => query && context.fillRect(left, top + query * cellHeight, width, 1 / ratio));
      context.globalAlpha = 1;
    }
    frameMap(context, theme, this.shape);
  }

  /** At the right of each row: the share of its attention that is not shown. */
  bars(context, theme) {
    const { left, top, width, cellHeight, bar } = this.shape;
    const thick = Math.max(1, Math.min(6, cellHeight * 0.5));
    context.fillStyle = theme.text;
    this.map.hidden.forEach((share, query) => {
      const y = top + query * cellHeight + (cellHeight - thick) / 2;
      context.globalAlpha = 0.12;
      context.fillRect(left + width + 4, y, bar, thick);
      context.globalAlpha = 0.55;
      context.fillRect(left + width + 4, y, bar * share, thick);
    });
    context.globalAlpha = 1;
  }

  labels(context, theme) {
    const { left, top, cellWidth, cellHeight, slanted, queryLabels, keyLabels, font, axisNames } = this.shape;
    // Where all labels fit, they may stand close; where some are left out, the others have room to be read.
    const every = (size) => (size >= LABEL_SIZE - 2 ? 1 : Math.ceil((LABEL_SIZE + 3) / size));
    const apart = slanted ? -Math.sin(SLANT) : 1; // slanted lines of text come closer to each other
    context.font = font;
    context.fillStyle = theme.text;
    context.textBaseline = "middle";
    if (axisNames) {
      context.globalAlpha = 0.7;
      context.textAlign = "left";
      context.fillText(axisNames.columns, 0, LABEL_SIZE / 2 + 2);
      context.textAlign = "right";
      // Above the first label, which stands higher the lower its row is.
      context.fillText(axisNames.rows, left - 5, top - Math.max(8, LABEL_SIZE + 3 - cellHeight / 2));
      context.globalAlpha = 1;
    }
    context.textAlign = "right";
    for (const [query, label] of spacedLabels(queryLabels, every(cellHeight))) {
      context.fillText(label, left - 5, top + (query + 0.5) * cellHeight);
      if (this.map.written?.queries[query]) underline(context, label, left - 5, top + (query + 0.5) * cellHeight);
    }
    writeKeyLabels(context, keyLabels, every(cellWidth * apart), this.shape, undefined, this.map.written?.keys);
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

  /** The cell under the pointer; null on a label and beside the map. */
  cellUnder(event) {
    const at = this.under(event);
    return at && at.query !== null && at.key !== null ? at : null;
  }

  /** Where a tip stands that no pointer asked for: at the lower right corner of a cell, in the window. */
  cornerOf(at) {
    const box = this.canvas.getBoundingClientRect();
    const { left, top, cellWidth, cellHeight } = this.shape;
    return [
      box.left + left + ((at.key ?? -1) + 1) * cellWidth,
      box.top + top + ((at.query ?? -1) + 1) * cellHeight,
    ];
  }

  /** Marks rows and columns: their labels, lines along them, and a frame where they meet. */
  mark(rows, columns) {
    const boxes = this.shape ? this.markBoxes(rows, columns) : [];
    while (this.marks.children.length > boxes.length) this.marks.lastChild.remove();
    boxes.forEach(([part, x, y, width, height], index) => {
      const mark = this.marks.children[index] ?? this.marks.appendChild(make("div"));
      mark.className = `attnviz-mark attnviz-mark-${part}`;
      mark.style.transform = `translate(${x}px, ${y}px)`;
      mark.style.width = `${width}px`;
      mark.style.height = `${height}px`;
    });
  }

  markBoxes(rows, columns) {
    const { left, top, width, height, cellWidth, cellHeight, slanted } = this.shape;
    const boxes = [];
    for (const row of rows) {
      const y = top + row * cellHeight;
      boxes.push(["label", 0, y, left - 2, cellHeight], ["row", left, y, width, cellHeight]);
    }
    for (const column of columns) {
      const x = left + column * cellWidth;
      boxes.push(["label", x, slanted ? top - 4 : 0, cellWidth, slanted ? 4 : top - 2], ["column", x, top, cellWidth, height]);
    }
    for (const row of rows) {
      for (const column of columns) {
        const [x, y] = [left + column * cellWidth, top + row * cellHeight];
        boxes.push(["cell", x - 1, y - 1, cellWidth + 2, cellHeight + 2]);
      }
    }
    return boxes;
  }
}
