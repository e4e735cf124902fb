// Which part of the map is seen, and the pictures that there are of it: a coarse one of the whole, finer ones of regions, as
// maps of streets have them. The finest one is drawn last.

const LEAST_TOKENS = 8; // of a side, beyond which nothing is gained by coming nearer
const MOST_PICTURES = 24; // kept; those used last

/** A part of an axis, in tokens, fractions of one among them. */
class Span {
  constructor(first, stop, count) {
    Object.assign(this, { first, stop, count });
  }

  get length() {
    return this.stop - this.first;
  }

  get isWhole() {
    return this.length >= this.count - 0.5;
  }

  has(place) {
    return place >= this.first && place < this.stop;
  }

  /** By a factor around a place; a smaller factor comes nearer. */
  zoomed(factor, at) {
    const length = Math.max(Math.min(LEAST_TOKENS, this.count), Math.min(this.count, this.length * factor));
    return this.within(at - ((at - this.first) / this.length) * length, length);
  }

  moved(by) {
    return this.within(this.first + by, this.length);
  }

  within(first, length) {
    const start = Math.max(0, Math.min(this.count - length, first));
    return new Span(start, start + length, this.count);
  }

  /** Around a place, so many tokens long. */
  around(place, length) {
    return this.within(place - length / 2, Math.min(this.count, length));
  }

  get tokens() {
    return [Math.max(0, Math.floor(this.first + 1e-6)), Math.min(this.count, Math.ceil(this.stop - 1e-6))];
  }
}

/** The pictures of one head. */
class Pictures {
  constructor() {
    this.all = []; // those used last stand at the end
  }

  add(picture) {
    this.all = this.all.filter((other) => String(other.region) !== String(picture.region));
    this.all.push(picture);
    if (this.all.length > MOST_PICTURES) this.all.splice(this.all.findIndex((one) => !one.isWhole), 1);
  }

  of(region) {
    return this.all.find((picture) => String(picture.region) === String(region));
  }

  get whole() {
    return this.all.find((picture) => picture.isWhole);
  }

  /** Those that overlap what is seen, the coarsest first. */
  over(queries, keys) {
    return this.all
      .filter(({ region: [first, stop, keyFirst, keyStop] }) =>
        first < queries.stop && stop > queries.first && keyFirst < keys.stop && keyStop > keys.first)
      .sort((one, other) => other.coarseness - one.coarseness);
  }

  /** The finest one that has a cell at a place. */
  at(query, key) {
    const has = ({ region: [first, stop, keyFirst, keyStop] }) => query >= first && query < stop && key >= keyFirst && key < keyStop;
    return this.all.filter(has).sort((one, other) => one.coarseness - other.coarseness)[0];
  }
}

/** A region that has arrived. */
class Picture {
  constructor(data, codes, counts) {
    Object.assign(this, data);
    this.codes = codes;
    this.steps = stepValues(data);
    const [first, stop, keyFirst, keyStop] = this.region;
    this.coarseness = Math.max((stop - first) / this.rows, (keyStop - keyFirst) / this.columns);
    this.isWhole = stop - first === counts[0] && keyStop - keyFirst === counts[1];
  }

  /** The edge before a cell, as the server divides an axis. */
  static edge(cell, first, stop, cells) {
    return first + Math.ceil((cell * (stop - first)) / cells);
  }

  static cell(token, first, stop, cells) {
    let cell = Math.min(cells - 1, Math.floor(((token - first) * cells) / (stop - first)));
    while (cell + 1 < cells && Picture.edge(cell + 1, first, stop, cells) <= token) cell++;
    while (cell > 0 && Picture.edge(cell, first, stop, cells) > token) cell--;
    return cell;
  }

  /** The cell at a token of each axis: its tokens and its value. */
  cellAt(query, key) {
    const [first, stop, keyFirst, keyStop] = this.region;
    const row = Picture.cell(Math.floor(query), first, stop, this.rows);
    const column = Picture.cell(Math.floor(key), keyFirst, keyStop, this.columns);
    return {
      queries: [Picture.edge(row, first, stop, this.rows), Picture.edge(row + 1, first, stop, this.rows)],
      keys: [Picture.edge(column, keyFirst, keyStop, this.columns), Picture.edge(column + 1, keyFirst, keyStop, this.columns)],
      value: this.steps[this.codes[row * this.columns + column]],
    };
  }

  /** The values that are seen of it. */
  valuesIn(queries, keys) {
    const [first, stop, keyFirst, keyStop] = this.region;
    const rows = [queries.first, queries.stop].map((token) => Math.max(0, Math.min(this.rows, Math.round(((token - first) * this.rows) / (stop - first)))));
    const columns = [keys.first, keys.stop].map((token) => Math.max(0, Math.min(this.columns, Math.round(((token - keyFirst) * this.columns) / (keyStop - keyFirst)))));
    const values = [];
    for (let row = rows[0]; row < rows[1]; row++) {
      for (let column = columns[0]; column < columns[1]; column++) values.push(this.steps[this.codes[row * this.columns + column]]);
    }
    return values;
  }

  /** A canvas with a pixel a cell, made once for each scale. */
  image(colours, way, top) {
    const name = `${colours.name}${way}${top}`;
    if (this.imageName !== name) {
      this.imageName = name;
      this.canvas ??= make("canvas", "", { width: this.columns, height: this.rows });
      const context = this.canvas.getContext("2d");
      const pixels = context.createImageData(this.columns, this.rows);
      const target = new Uint32Array(pixels.data.buffer);
      const table = Uint32Array.from(this.steps, (value) => colours.table[Math.round(255 * onScale(value, way, top))]);
      for (let cell = 0; cell < target.length; cell++) target[cell] = table[this.codes[cell]];
      context.putImageData(pixels, 0, 0);
    }
    return this.canvas;
  }
}
