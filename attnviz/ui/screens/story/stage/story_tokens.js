// Scenes 1 and 2: tokens with their numbers, and strips of colours. A scene is a function of a view (pen, layout, numbers,
// images, the asking word, texts), the seconds in the scene, and whether it is `leaving`: then it draws what goes, and
// leaves out what the next scene takes along.

const ROLLED = 6; // numbers that pass before the token's own stands still
const DETAILED = { wide: 6, narrow: 4 }; // dimensions that are also written as numbers

// 1: tokens and numbers -----------------------------------------------------------------------------------------------

/** Where the number of a token stands at the end of the first scene. */
function numberBoxes(view) {
  const { layout: L, pen, numbers } = view;
  const wide = Math.max(...numbers.data.tokens.map(({ id }) => pen.width(String(id), 14 * pen.unit))) + 16 * pen.unit;
  return L.along.map((along, index) => {
    const [w, h] = L.narrow
      ? [wide, Math.min(24 * pen.unit, L.pitches[index] - 2)]
      : [Math.min(wide, L.pitches[index] - 4), 26 * pen.unit];
    const [x, y] = L.narrow ? [L.across(0, 118) + w / 2, along] : [along, 236 * pen.unit];
    return { x: x - w / 2, y: y - h / 2, w, h };
  });
}

function drawNumbers(view, seconds, leaving) {
  if (leaving) return;
  const { pen, numbers, layout: L, tokens, theme } = view;
  const boxes = numberBoxes(view);
  boxes.forEach((box, index) => {
    const here = inTurn(seconds, 2, 3.4, index, numbers.count, 0.6);
    const rolled = inTurn(seconds, 2.2, 4.6, index, numbers.count, 1.4);
    pen.faded(here, () => {
      const seat = tokens[index];
      const [from, to] = L.narrow
        ? [[seat.x + seat.w / 2 + 3, seat.y], [box.x - 3, seat.y]]
        : [[seat.x, seat.y + seat.h / 2 + 3], [seat.x, mix(seat.y + seat.h / 2 + 3, box.y - 3, here)]];
      if (to[0] - from[0] + to[1] - from[1] > 8) pen.arrow(from, to, theme.line, 1.2);
      rollNumber(view, box, numbers.data.tokens[index].id, rolled);
    });
  });
  pen.faded(part(seconds, 3, 3.8), () => nameOfRow(view, view.texts.number, L.narrow ? 0 : 236 * pen.unit, [boxes[0].x + boxes[0].w / 2, L.begin - 24 * pen.unit]));
}

/** A name of what stands in a row of a wide picture, at its left; on a narrow one around `point`. */
function nameOfRow(view, name, y, point) {
  const { pen, layout: L } = view;
  const size = 13 * pen.unit;
  if (L.narrow) pen.write(name, ...point, { size, colour: view.quiet, room: L.width });
  else {
    const room = L.begin - 12;
    const lines = pen.width(name, size) > room ? pen.lines(name, room, size, 2) : [name];
    lines.forEach((line, index) => {
      pen.write(line, 4, y + (index - (lines.length - 1) / 2) * size * 1.2, { size, align: "left", colour: view.quiet, room });
    });
  }
}

/** A window in a long list of numbers, which stops at the right one. */
function rollNumber(view, box, id, rolled) {
  const { pen, theme } = view;
  const { context } = pen;
  pen.round(box, 5, { fill: theme.background, line: rolled < 1 ? theme.line : theme.accent, thick: rolled < 1 ? 1 : 1.4 });
  const size = Math.min(14 * pen.unit, box.h * 0.72);
  const style = { size, room: box.w - 4, least: 6, colour: theme.text, bold: rolled >= 1 };
  if (rolled >= 1) return pen.write(String(id), box.x + box.w / 2, box.y + box.h / 2 + 0.5, style);
  const passed = rolled * ROLLED;
  context.save();
  context.beginPath();
  context.rect(box.x, box.y, box.w, box.h);
  context.clip();
  for (let step = Math.floor(passed); step <= Math.ceil(passed); step++) {
    const value = id - ROLLED + step;
    if (value >= 0) pen.write(String(value), box.x + box.w / 2, box.y + box.h / 2 + (step - passed) * box.h, style);
  }
  context.restore();
  return undefined;
}

// 2: strips -----------------------------------------------------------------------------------------------------------

/** Where the strip of a token lies in the second scene; `shift` in widths of a strip beside its column. */
function vectorBox(view, index, shift = 0) {
  const { layout: L } = view;
  const from = L.across(92, 140);
  return L.box(L.along[index] + shift * L.thick, L.thick, from, from + L.strip);
}

function smallNumberBox(view, index) {
  const { layout: L, pen } = view;
  const big = numberBoxes(view)[index];
  if (L.narrow) return { ...big, x: L.across(0, 92), w: Math.min(big.w, L.across(0, 44)) };
  return { ...big, y: 52 * pen.unit, h: 20 * pen.unit };
}

function drawVectors(view, seconds, leaving) {
  const { pen, numbers: N, images: I, layout: L, texts, word } = view;
  const added = N.position ? moved(seconds, 4.2, 5.3) : 1;
  const bigBoxes = numberBoxes(view);
  if (N.position && added > 0 && added < 1) {
    const blend = N.embedding.map((value, cell) => value + added * (N.position[cell] ?? 0));
    view.blended = I.passing(blend, N.count, I.largest.vectors);
  }
  for (let index = 0; index < N.count; index++) {
    const up = moved(seconds, 0, 1.1);
    pen.faded(leaving ? 1 : 1, () => {
      const box = mixBox(bigBoxes[index], smallNumberBox(view, index), up);
      rollNumber(view, box, N.data.tokens[index].id, 1);
    });
    const grown = inTurn(seconds, 1, 2.9, index, N.count, 0.9);
    const shift = N.position && !leaving ? -0.6 * (moved(seconds, 2.9, 3.4) - added) : 0;
    const image = added >= 1 ? I.sum : added > 0 ? view.blended : I.embedding;
    if (!leaving) pen.stripPart(image, index, vectorBox(view, index, shift), grown);
    if (N.position && !leaving && added < 1) {
      const placed = inTurn(seconds, 3, 4, index, N.count, 0.6);
      pen.faded(Math.min(1, placed * 2) * (1 - added ** 3), () => {
        pen.stripPart(I.position, index, vectorBox(view, index, mix(1.9, 0.6, placed) - 0.6 * added), placed);
      });
    }
    if (!leaving && grown >= 1) pen.frame(vectorBox(view, index, shift), view.theme.line);
  }
  const shownOf = fill(texts.shown, N.shown, N.data.vectors.width);
  pen.faded(leaving ? 1 : part(seconds, 2.6, 3.2), () => {
    const middle = L.across(92, 140) + L.strip / 2;
    nameOfRow(view, N.position ? (added > 0.5 ? texts.sum : texts.embedding) : texts.embedding, middle - 9 * pen.unit, [middle, L.begin - 38 * pen.unit]);
    nameOfRow(view, shownOf, middle + 9 * pen.unit, [middle, L.begin - 20 * pen.unit]);
  });
  const rows = [{ name: texts.embedding, values: N.row(N.embedding, word), opacity: part(seconds, 2.4, 3) }];
  if (N.position) {
    rows.push({ sign: "+", name: texts.place, values: N.row(N.position, word), opacity: part(seconds, 3.4, 4) });
    rows.push({ sign: "=", name: texts.sum, values: N.row(N.sum, word), opacity: part(seconds, 4.9, 5.5) });
  }
  drawLens(view, rows, I.largest.vectors, vectorBox(view, word), Math.min(N.shown, N.row(N.embedding, word).length));
}

/**
 * The first dimensions of some strips as numbers, with the colours that they have there, under a magnifying line.
 *
 * A row has a `name`, its `values`, `opacity`, the `sign` before it, and `largest` where it has a scale of its own.
 */
function drawLens(view, rows, most, source, length) {
  const { pen, layout: L, images: I, theme } = view;
  const unit = pen.unit;
  const cells = Math.min(length, L.narrow ? DETAILED.narrow : DETAILED.wide);
  const [w, h] = [Math.min(62 * unit, (L.width - 98 * unit) / cells), 24 * unit];
  const total = w * cells;
  const names = 86 * unit;
  const left = L.narrow ? L.width - total - 4 : limit(source.x + source.w / 2 - total / 2, names + 22 * unit, L.width - total - 28 * unit);
  const top = L.height - 84 * unit;
  pen.faded(rows[0].opacity, () => {
    const share = cells / length;
    const ends = L.narrow
      ? [[source.x, source.y + source.h], [source.x + source.w * share, source.y + source.h]]
      : [[source.x, source.y + source.h * share], [source.x + source.w, source.y + source.h * share]];
    pen.faded(0.55, () => {
      pen.line([ends[0], [left, top - 3]], theme.accent, 1, [2, 3]);
      pen.line([ends[1], [left + total, top - 3]], theme.accent, 1, [2, 3]);
    });
    const marked = L.narrow ? { ...source, w: source.w * share } : { ...source, h: source.h * share };
    pen.frame(marked, theme.accent, 1.5);
  });
  rows.forEach((row, line) => pen.faded(row.opacity, () => {
    const y = top + line * (h + 3 * unit);
    pen.write(row.name, left - 20 * unit, y + h / 2, { size: 13 * unit, align: "right", colour: view.quiet, room: names });
    if (row.sign) pen.write(row.sign, left - 10 * unit, y + h / 2, { size: 15 * unit });
    for (let cell = 0; cell < Math.min(cells, row.upTo ?? cells); cell++) {
      const index = signedIndex(row.values[cell], row.largest ?? most);
      const box = { x: left + cell * w + 1, y, w: w - 2, h };
      pen.round(box, 3, { fill: cssColour(I.signed, index), line: theme.line });
      pen.write(signedNumber(row.values[cell]), box.x + box.w / 2, y + h / 2 + 0.5, { size: 13 * unit, colour: colourOn(I.signed, index), room: w - 6 });
    }
    if ((row.upTo ?? cells) >= cells) pen.write("…", left + total + 4 * unit, y + h / 2, { align: "left" });
  }));
}
