// Where everything stands. On a wide picture the sentence runs from left to right and what is computed goes downwards; on
// a narrow one the sentence runs downwards and what is computed goes to the right. So places are given along the sentence
// and across it, and only this file knows which of them is x.

const NARROW_PICTURE = 620; // CSS pixels of width below which the sentence runs downwards
const WIDE_HEIGHT = 390; // CSS pixels of a wide picture at the usual size of type
const STRIP = 124; // CSS pixels of a strip's length

class Layout {
  /** @param pen measures texts; it writes nothing here */
  constructor(width, numbers, pen) {
    const unit = pen.unit;
    const { count } = numbers;
    this.width = width;
    this.unit = unit;
    this.narrow = width < NARROW_PICTURE * Math.min(unit, 1.15);
    this.numbers = numbers;
    this.pen = pen;
    this.strip = (this.narrow ? 152 : STRIP * unit);
    if (this.narrow) {
      this.begin = 62 * unit;
      const pitch = limit((430 * unit - this.begin) / count, 15 * unit, 46 * unit);
      this.height = Math.max(560 * unit, this.begin + pitch * count + 150 * unit);
      this.along = numbers.labels.map((_, index) => this.begin + (index + 0.5) * pitch);
      this.pitches = numbers.labels.map(() => pitch);
    } else {
      this.height = WIDE_HEIGHT * unit;
      this.begin = 104 * unit;
      this.columns(pen);
    }
    const least = Math.min(...this.pitches);
    this.thick = Math.max(3, Math.min((this.narrow ? 12 : 26) * unit, least * 0.28));
    this.end = this.along.at(-1) + this.pitches.at(-1) / 2;
    this.seats = this.allSeats();
  }

  /** Columns as wide as their words need, and equally wide where there is room for that. */
  columns(pen) {
    const room = this.width - this.begin - 8;
    let size = 16 * this.unit;
    const wide = () => this.numbers.labels.map((label) => pen.width(label, size) + 16 * this.unit);
    let labels = wide();
    const total = (list) => list.reduce((sum, value) => sum + value, 0);
    while (total(labels) > room && size > 9.5) {
      size -= 0.5;
      labels = wide();
    }
    if (total(labels) > room) labels = labels.map((label) => (label * room) / total(labels));
    let [low, high] = [0, 165 * this.unit];
    for (let step = 0; step < 20; step++) {
      const least = (low + high) / 2;
      if (total(labels.map((label) => Math.max(label, least))) <= room) low = least;
      else high = least;
    }
    this.pitches = labels.map((label) => Math.max(label, low));
    this.rowSize = size;
    let left = this.begin + (room - total(this.pitches)) / 2;
    this.along = this.pitches.map((pitch) => (left += pitch) - pitch / 2);
  }

  /** A point by its places along and across the sentence. */
  point(along, across) {
    return this.narrow ? [across, along] : [along, across];
  }

  /** A box that lies across the sentence: its middle along it, how thick it is, and from where to where. */
  box(along, thick, from, to) {
    if (this.narrow) return { x: from, y: along - thick / 2, w: to - from, h: thick };
    return { x: along - thick / 2, y: from, w: thick, h: to - from };
  }

  /** A distance across: `wide` on a wide picture and `narrow` on a narrow one, both at the usual size of type. */
  across(wide, narrow) {
    return this.narrow ? narrow * (this.width / 358) : wide * this.unit;
  }

  // Tokens ----------------------------------------------------------------------------------------------------------

  /** For each scene, and before the first, where each token stands: its middle, the size of its type and of its box. */
  allSeats() {
    const line = this.narrow ? this.listSeats() : this.rowSeats(32 * this.unit);
    const first = this.narrow ? line : this.rowSeats(150 * this.unit, 18 * this.unit);
    const top = this.narrow ? this.flowSeats(12 * this.unit, 2) : this.rowSeats(22 * this.unit);
    this.topEnd = Math.max(...top.map((seat) => seat.y + seat.h / 2));
    const block = top.map((seat) => ({ ...seat }));
    return [this.textSeats(), first, line, line, line, line, line, top, block, top, top];
  }

  seat(index, x, y, size, room) {
    const wide = Math.min(this.pen.width(this.numbers.labels[index], size) + 14 * this.unit, room);
    return { x, y, size, w: Math.max(wide, 18 * this.unit), h: size * 1.65 };
  }

  rowSeats(y, size = 16 * this.unit) {
    return this.along.map((x, index) => this.seat(index, x, y, Math.min(size, this.rowSize), this.pitches[index] - 3));
  }

  listSeats() {
    const size = Math.min(14 * this.unit, this.pitches[0] * 0.72);
    return this.along.map((y, index) => {
      const seat = this.seat(index, 0, y, size, 82 * (this.width / 358));
      return { ...seat, x: 2 + seat.w / 2, h: Math.min(seat.h, this.pitches[index] - 2) };
    });
  }

  /** Boxes one after the other, in lines. */
  flowSeats(size, top) {
    const boxes = this.numbers.labels.map((_, index) => this.seat(index, 0, 0, size, this.width - 8));
    return flow(boxes, this.width - 4, size * 2, top + size, 4 * this.unit).map((box) => ({ ...box, x: box.x + 2 }));
  }

  /** The sentence as it was typed, in large type, before it falls apart. */
  textSeats() {
    const { tokens } = this.numbers.data;
    const written = tokens.map(({ special }) => !special);
    let size = (this.narrow ? 24 : 34) * this.unit;
    const make = () => {
      const boxes = this.numbers.labels.map((label, index) => {
        const gap = index && spaceBefore(tokens, index) ? size * 0.27 : 0;
        const wide = written[index] ? this.pen.width(label.replace(/[₀-₉]+$/u, ""), size) : 0;
        return { size, w: wide, h: size * 1.5, gap, hidden: !written[index] };
      });
      return flow(boxes, this.width - 24, size * 1.45, 0, 0, true);
    };
    let seats = make();
    while (size > 14 && seats.at(-1).y > this.height * 0.5) {
      size -= 1;
      seats = make();
    }
    const down = (this.narrow ? 0.36 : 0.4) * this.height - seats.at(-1).y / 2;
    return seats.map((seat) => ({ ...seat, y: seat.y + down, x: seat.x + 12 }));
  }

  /** Where the tokens are at a time: on their way during a scene's first second. */
  tokens(scene, seconds) {
    const from = this.seats[scene];
    const to = this.seats[scene + 1];
    const [begin, end] = scene === 0 ? [1, 2.3] : [0, 1.1];
    return to.map((seat, index) => {
      const share = inTurn(seconds, begin, end, index, to.length, 0.8);
      const one = from[index];
      return {
        ...mixBox(one, seat, share),
        size: mix(one.size, seat.size, share),
        boxed: scene === 0 ? share : 1,
        opacity: scene === 0 && one.hidden ? share : 1,
      };
    });
  }
}

/** Boxes in lines that are no wider than a width; `centred` lines stand in its middle. Sets the middle of each box. */
function flow(boxes, width, lineHeight, top, between, centred = false) {
  let [left, line] = [0, []];
  const lines = [line];
  for (const box of boxes) {
    const gap = line.length ? box.gap ?? between : 0;
    if (line.length && left + gap + box.w > width) {
      line = [];
      lines.push(line);
      left = 0;
    }
    const start = line.length ? left + gap : 0;
    line.push({ ...box, x: start + box.w / 2, y: top + (lines.length - 1) * lineHeight });
    left = start + box.w;
  }
  return lines.flatMap((boxesOfLine) => {
    const last = boxesOfLine.at(-1);
    const shift = centred && last ? (width - last.x - last.w / 2) / 2 : 0;
    return boxesOfLine.map((box) => ({ ...box, x: box.x + shift }));
  });
}

/** Whether a space stands before a token in the sentence; where nobody says, as writing usually has it. */
function spaceBefore(tokens, index) {
  const { space, label } = tokens[index];
  if (space !== undefined && space !== null) return space;
  if (label.startsWith(" ")) return true;
  return !/^[\p{P}]|\p{Script=Han}/u.test(label);
}
