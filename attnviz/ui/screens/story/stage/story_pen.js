// What draws on the canvas of the story: text that is remembered, boxes, lines and strips of colours.

/** Draws in CSS pixels; what it wrote since `begin` is in `written`, so that a test can compare it with the numbers. */
class Pen {
  constructor(context, theme, unit) {
    this.context = context;
    this.theme = theme;
    this.unit = unit; // 1, or more in large type
    this.opacity = 1;
    this.written = [];
  }

  begin(width, height) {
    this.written = [];
    this.context.clearRect(0, 0, width, height);
  }

  /** Draws what `call` draws, so much through. Nothing is drawn that could hardly be seen. */
  faded(opacity, call) {
    const before = this.opacity;
    this.opacity = before * opacity;
    if (this.opacity > 0.01) {
      this.context.globalAlpha = this.opacity;
      call();
    }
    this.opacity = before;
    this.context.globalAlpha = before;
  }

  font(size, bold = false) {
    const font = `${bold ? 600 : 400} ${Math.round(size * 10) / 10}px ${this.theme.font}`;
    if (this.context.font !== font) this.context.font = font;
  }

  width(text, size, bold = false) {
    this.font(size, bold);
    return this.context.measureText(text).width;
  }

  /**
   * Writes a text around a point.
   *
   * `size` is in CSS pixels; `room` is how wide it may be, and a longer one is set smaller, then cut short. One with a
   * `halo` can be read over lines.
   */
  write(text, x, y, { size = 13 * this.unit, align = "center", colour = this.theme.text, bold = false, room = 0, least = 9, halo = false } = {}) {
    if (text === "" || text === null || text === undefined) return;
    let shown = String(text);
    let drawn = size;
    if (room) {
      const wide = this.width(shown, size, bold);
      if (wide > room) {
        drawn = Math.max(least, (size * room) / wide);
        this.font(drawn, bold);
        if (drawn === least) shown = shorten(this.context, shown, room);
      }
    }
    this.font(drawn, bold);
    this.context.textAlign = align;
    this.context.textBaseline = "middle";
    if (halo) {
      this.context.strokeStyle = this.theme.background;
      this.context.lineWidth = 4;
      this.context.lineJoin = "round";
      this.context.strokeText(shown, x, y);
    }
    this.context.fillStyle = colour;
    this.context.fillText(shown, x, y);
    if (this.opacity > 0.4) this.written.push(shown);
  }

  /** Writes a text on several lines below each other, the first around y; returns how many there were. */
  writeLines(text, x, y, room, { size = 12 * this.unit, most = 3, ...rest } = {}) {
    const lines = this.lines(text, room, size, most);
    lines.forEach((line, index) => this.write(line, x, y + index * size * 1.25, { size, ...rest }));
    return lines.length;
  }

  lines(text, room, size, most) {
    this.font(size);
    const pieces = /\p{Script=Han}/u.test(text) ? Array.from(text) : text.split(/(?<=\s)/);
    const lines = [""];
    for (const piece of pieces) {
      const longer = lines.at(-1) + piece;
      if (lines.at(-1) && this.context.measureText(longer.trimEnd()).width > room && lines.length < most) lines.push(piece);
      else lines[lines.length - 1] = longer;
    }
    return lines.map((line) => shorten(this.context, line.trim(), room));
  }

  fill(box, colour) {
    this.context.fillStyle = colour;
    this.context.fillRect(box.x, box.y, box.w, box.h);
  }

  /** A rectangle with round corners. */
  round(box, radius, { fill = "", line = "", thick = 1, dashed = false } = {}) {
    const { context } = this;
    context.beginPath();
    context.roundRect(box.x, box.y, Math.max(0, box.w), Math.max(0, box.h), Math.min(radius, box.w / 2, box.h / 2));
    if (fill) {
      context.fillStyle = fill;
      context.fill();
    }
    if (line) {
      context.strokeStyle = line;
      context.lineWidth = thick;
      context.setLineDash(dashed ? [3, 3] : []);
      context.stroke();
      context.setLineDash([]);
    }
  }

  frame(box, colour = this.theme.line, thick = 1) {
    this.context.strokeStyle = colour;
    this.context.lineWidth = thick;
    this.context.strokeRect(box.x - 0.5, box.y - 0.5, box.w + 1, box.h + 1);
  }

  line(points, colour = this.theme.line, thick = 1, dash = []) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.setLineDash(dash);
    context.beginPath();
    points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
    context.setLineDash([]);
  }

  /** A curve between two points with two handles, or as much of its beginning as `share` says. */
  curve([from, one, two, to], colour, thick, share = 1) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.beginPath();
    context.moveTo(...from);
    if (share >= 1) context.bezierCurveTo(...one, ...two, ...to);
    else {
      for (let step = 1; step <= 20; step++) context.lineTo(...onCurve([from, one, two, to], (share * step) / 20));
    }
    context.stroke();
  }

  arrow([x, y], [toX, toY], colour = this.theme.text, thick = 1.5) {
    const angle = Math.atan2(toY - y, toX - x);
    const head = 5 * this.unit;
    this.line([[x, y], [toX, toY]], colour, thick);
    this.line([-0.5, 0.5].map((turn) => [toX - head * Math.cos(angle + turn), toY - head * Math.sin(angle + turn)])
      .flatMap((end, index) => (index ? [[toX, toY], end] : [end])), colour, thick);
  }

  /** One row of a prepared image as a strip of colours in a box. */
  strip(image, row, box) {
    if (!image || box.w <= 0 || box.h <= 0) return;
    this.context.imageSmoothingEnabled = false;
    const { canvas, upright, length } = image;
    if (upright) this.context.drawImage(canvas, row, 0, 1, length, box.x, box.y, box.w, box.h);
    else this.context.drawImage(canvas, 0, row, length, 1, box.x, box.y, box.w, box.h);
  }

  /** The beginning of a strip: so much of its length. */
  stripPart(image, row, box, share) {
    if (!image || share <= 0) return;
    const { canvas, upright, length } = image;
    const cells = Math.max(1, Math.round(length * share));
    this.context.imageSmoothingEnabled = false;
    const size = cells / length;
    if (upright) this.context.drawImage(canvas, row, 0, 1, cells, box.x, box.y, box.w, box.h * size);
    else this.context.drawImage(canvas, 0, row, cells, 1, box.x, box.y, box.w * size, box.h);
  }
}

/** A point of a curve. */
function onCurve([from, one, two, to], share) {
  const rest = 1 - share;
  const factors = [rest ** 3, 3 * rest ** 2 * share, 3 * rest * share ** 2, share ** 3];
  return [0, 1].map((axis) => factors[0] * from[axis] + factors[1] * one[axis] + factors[2] * two[axis] + factors[3] * to[axis]);
}

/**
 * Signed numbers, row by row, as an image with one pixel each, made once and drawn often.
 *
 * `upright` rows run downwards; `largest` is the magnitude that gets the strongest colour.
 */
function signedImage(numbers, rows, colours, largest, upright) {
  const length = numbers.length / rows;
  const canvas = make("canvas", "", { width: upright ? rows : length, height: upright ? length : rows });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  const target = new Uint32Array(pixels.data.buffer);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < length; column++) {
      target[upright ? column * rows + row : row * length + column] = colours[signedIndex(numbers[row * length + column], largest)];
    }
  }
  context.putImageData(pixels, 0, 0);
  return { canvas, upright, length };
}

/** Where a signed number is on a scale of 256 colours. */
function signedIndex(value, largest) {
  return Math.round(limit(127.5 + (127.5 * value) / (largest || 1), 0, 255));
}

/** A colour of a lookup as CSS knows it. */
function cssColour(colours, index) {
  const value = colours[index];
  return `rgb(${value & 255}, ${(value >> 8) & 255}, ${(value >> 16) & 255})`;
}

/** The colour of text on a colour of a lookup. */
function colourOn(colours, index) {
  const value = colours[index];
  return luminance([value & 255, (value >> 8) & 255, (value >> 16) & 255]) > 0.36 ? "#14181d" : "#ffffff";
}
