// The map of all steps at once: a row for each step, or for each word that looks, and a column for each word looked at. The
// row of the step that is shown has a frame, and those of later steps have a dashed one around them: every colour stays the
// weight's own, as the legend has it.

const WIDEST = 44; // CSS pixels of a cell
const ROW = [18, 26]; // CSS pixels of a row, at least and at most; where there are many, lower than what text needs
const TALL = 720; // CSS pixels that a map with many rows may be high
const LONGEST = 16; // characters of a key's label

/** The colour of a weight on the scale from 0 to `top`, with `root` by its square root, and that of text on it. */
function shade(theme, weight, top, root) {
  const share = Math.max(0, Math.min(1, weight / top));
  const colour = theme.scale[Math.round((root ? Math.sqrt(share) : share) * (theme.scale.length - 1))];
  return { colour, text: luminance(toRgb(colour)) > 0.18 ? "#14181d" : "#ffffff" };
}

class StepMap {
  /** `tip` says what is under the pointer; `go` is called with the step that was clicked. */
  constructor(tip, go) {
    this.tip = tip;
    this.go = go;
    this.title = make("div", "attnviz-growing-title");
    this.note = make("div", "attnviz-growing-note");
    this.rows = make("div", "attnviz-growing-rows");
    this.canvas = make("canvas", "attnviz-growing-canvas", { role: "img" });
    this.mark = make("div", "attnviz-growing-mark");
    this.later = make("div", "attnviz-growing-coming");
    this.frame = make("div", "attnviz-growing-frame", {}, [this.canvas, this.mark, this.later]);
    this.frame.addEventListener("pointermove", (event) => this.point(event));
    this.frame.addEventListener("pointerleave", () => tip.hide());
    this.frame.addEventListener("click", (event) => this.data.steps && go(this.under(event).row));
    const map = make("div", "attnviz-growing-map", {}, [this.rows, this.frame]);
    this.legend = make("div", "attnviz-growing-legend");
    this.root = make("div", "attnviz-growing-all", {}, [this.title, this.note, map, this.legend]);
  }

  /** What the colours stand for, and the dashed frame where rows can have one. */
  explain(theme) {
    const { texts, steps } = this.data;
    const ramp = make("span", "attnviz-growing-ramp");
    ramp.style.background = `linear-gradient(90deg, ${theme.scale.join(", ")})`;
    const text = (textContent) => make("span", "", { textContent });
    const parts = [[text(texts.weight), text(texts.low), ramp, text(texts.high)]];
    if (steps) parts.push([make("span", "attnviz-growing-sample"), text(texts.later)]);
    this.legend.replaceChildren(...parts.map((part) => make("span", "attnviz-growing-entry", {}, part)));
  }

  write(data) {
    this.data = data;
    this.weights = decode(data.weights);
    this.title.textContent = data.title;
    this.note.textContent = data.note;
    this.canvas.setAttribute("aria-label", data.text);
    this.frame.classList.toggle("attnviz-growing-steps", data.steps);
    this.rows.replaceChildren(
      ...data.rows.map((label, row) => {
        const tag = data.steps ? "button" : "span";
        const element = make(tag, "attnviz-growing-row", { title: label, textContent: label });
        if (data.steps) {
          element.type = "button";
          element.tabIndex = -1; // the words of the text are the stops of the Tab key
          element.addEventListener("click", () => this.go(row));
        }
        return element;
      }),
    );
  }

  /** Where rows and columns are. */
  measure(context, theme) {
    const { rows, keys } = this.data;
    const width = this.frame.clientWidth;
    context.font = `${LABEL_SIZE}px ${theme.font}`;
    const labels = keys.map((label) =>
      Array.from(label).length > LONGEST ? `${Array.from(label).slice(0, LONGEST - 1).join("")}…` : label,
    );
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

  draw(theme, step) {
    const { rows, keys, top, root } = this.data;
    const shape = (this.shape = this.measure(this.canvas.getContext("2d"), theme));
    if (!shape.width) return;
    this.explain(theme);
    const height = shape.top + rows.length * shape.row + 1;
    this.rows.style.paddingTop = `${shape.top}px`;
    this.rows.style.setProperty("--attnviz-row", `${shape.row}px`);
    const named = Math.ceil(13 / shape.row);
    [...this.rows.children].forEach((row, index) => (row.style.visibility = index % named ? "hidden" : ""));
    const context = openCanvas(this.canvas, shape.width, height, window.devicePixelRatio || 1);
    const gap = Math.min(shape.cell, shape.row) >= 8 ? 1 : 0;
    rows.forEach((_, row) => {
      keys.forEach((_, key) => {
        context.fillStyle = shade(theme, this.weights[row * keys.length + key], top, root).colour;
        context.fillRect(key * shape.cell, shape.top + row * shape.row, shape.cell + (gap ? -1 : 0.5), shape.row - gap);
      });
    });
    context.strokeStyle = theme.line;
    context.strokeRect(0.5, shape.top - 0.5, keys.length * shape.cell, rows.length * shape.row);
    context.font = `${LABEL_SIZE}px ${theme.font}`;
    context.fillStyle = theme.text;
    const columns = { left: 0, top: shape.top, cellWidth: shape.cell, slanted: shape.slanted };
    writeKeyLabels(context, shape.labels, Math.max(1, Math.ceil(12 / shape.cell)), columns, shape.slanted ? 6 : 9);
    this.frameStep(step);
  }

  show(step) {
    [...this.rows.children].forEach((row, index) => {
      row.classList.toggle("attnviz-growing-later", this.data.steps && index > step);
      row.classList.toggle("attnviz-growing-now-row", this.data.steps && index === step);
    });
    this.frameStep(step);
  }

  frameStep(step) {
    const { shape } = this;
    const after = this.data.rows.length - step - 1;
    this.mark.hidden = !this.data.steps || !shape?.width;
    this.later.hidden = this.mark.hidden || after < 1;
    const around = (element, first, count) => {
      element.style.top = `${shape.top + first * shape.row - 1}px`;
      element.style.width = `${this.data.keys.length * shape.cell + 1}px`;
      element.style.height = `${count * shape.row + 1}px`;
    };
    if (!this.mark.hidden) around(this.mark, step, 1);
    if (!this.later.hidden) around(this.later, step + 1, after);
  }

  /** The cell under the pointer, or the nearest one where it is beside them. */
  under(event) {
    const box = this.canvas.getBoundingClientRect();
    const { shape, data } = this;
    const within = (value, count) => Math.max(0, Math.min(count - 1, Math.floor(value)));
    return {
      row: within((event.clientY - box.top - shape.top) / shape.row, data.rows.length),
      key: within((event.clientX - box.left) / shape.cell, data.keys.length),
      inside: event.clientY - box.top >= shape.top && event.clientX - box.left < shape.cell * data.keys.length,
    };
  }

  point(event) {
    const { row, key, inside } = this.under(event);
    if (!inside || event.pointerType === "touch") {
      this.tip.hide();
      return;
    }
    const { rows, keys } = this.data;
    this.tip.say(`${rows[row]} · ${keys[key]} ${number(this.weights[row * keys.length + key])}`);
    this.tip.moveTo(event.clientX, event.clientY);
  }
}
