// Scenes 5 to 7: scores become shares, values flow along lines, the head becomes one of several maps.

// 5: shares -----------------------------------------------------------------------------------------------------------

/** Where the bar of a token may reach: a glass that is full at 1. */
function glassBox(view, index) {
  const { layout: L, pen } = view;
  const thick = Math.min(L.narrow ? 16 * pen.unit : 34 * pen.unit, L.pitches[index] * 0.6);
  return L.box(L.along[index], thick, L.across(94, 100), L.across(300, 300));
}

/** The part of a glass between two amounts, where 0 is its foot: at the bottom, or at the left. */
function glassPart(view, index, from, to) {
  const { layout: L } = view;
  const glass = glassBox(view, index);
  const [least, most] = [Math.min(from, to), Math.max(from, to)];
  if (L.narrow) return { ...glass, x: glass.x + glass.w * least, w: glass.w * (most - least) };
  return { ...glass, y: glass.y + glass.h * (1 - most), h: glass.h * (most - least) };
}

/** Where the number of a bar stands: under the token, or at the right edge. */
function barNumber(view, index) {
  const { layout: L, pen } = view;
  return L.narrow ? [L.width - 4, L.along[index]] : [L.along[index], 66 * pen.unit];
}

/** The bar in which all shares together make 1. */
function wholeBox(view) {
  const { layout: L, pen } = view;
  if (L.narrow) return { x: 14, y: L.end + 46 * pen.unit, w: L.width - 40, h: 26 * pen.unit };
  return { x: L.begin, y: 338 * pen.unit, w: L.width - L.begin - 34 * pen.unit, h: 30 * pen.unit };
}

function drawShares(view, seconds, leaving) {
  const { pen, numbers: N, layout: L, images: I, texts, word, theme } = view;
  const scores = N.scores ? N.row(N.scores, word) : null;
  const seen = [...Array(N.count).keys()].filter((index) => N.sees(word, index));
  const values = scores ? seen.map((index) => scores[index]) : [0];
  const [low, high] = [Math.min(0, ...values), Math.max(0.001, ...values)];
  const amount = (value) => (value - low) / (high - low);
  const grown = moved(seconds, 0.8, 2.2);
  const turned = moved(seconds, GUESS_AT + 0.3, GUESS_AT + 2);
  if (!leaving) {
    for (let index = 0; index < N.count; index++) {
      const forbidden = !N.sees(word, index);
      const share = N.share(word, index);
      const score = forbidden || !scores ? low : scores[index];
      const from = mix(mix(amount(0), amount(0), grown), 0, turned);
      const to = mix(mix(amount(0), amount(score), grown), share, turned);
      pen.faded(turned, () => pen.frame(glassBox(view, index), theme.line));
      const box = glassPart(view, index, from, to);
      if (forbidden) pen.faded(1 - turned, () => pen.round(glassPart(view, index, 0, 0.08), 3, { fill: view.dark }));
      else {
        pen.faded(grown * (1 - turned), () => pen.fill(box, scores && score < 0 ? view.negative : view.positive));
        pen.faded(turned, () => pen.fill(box, theme.accent));
      }
      const point = [0, 1].map((axis) => mix(scorePoint(view, index)[axis], barNumber(view, index)[axis], moved(seconds, 0, 1)));
      pen.faded(1 - part(seconds, GUESS_AT + 0.5, GUESS_AT + 1), () => {
        if (scores) writeScore(view, forbidden ? texts.forbidden : signedNumber(score), point);
      });
      pen.faded(part(seconds, GUESS_AT + 1.4, GUESS_AT + 2), () => writeScore(view, signedNumber(share), barNumber(view, index), { bold: index === N.most(word) }));
    }
  }
  if (scores) pen.faded(grown * (1 - turned), () => drawZero(view, amount(0)));
  pen.faded(leaving ? 1 : part(seconds, 1, 1.6), () => {
    const name = seconds > GUESS_AT + 1 || !scores ? texts.share : texts.score;
    if (L.narrow) pen.write(name, L.width - 4, L.begin - 14 * pen.unit, { align: "right", colour: view.quiet, size: 13 * pen.unit, room: 90 });
    else nameOfRow(view, name, 66 * pen.unit, [0, 0]);
  });
  drawQuestion(view, seconds);
  drawWhole(view, seconds);
}

function drawZero(view, share) {
  const { pen, layout: L, numbers: N, theme } = view;
  const [first, last] = [glassPart(view, 0, share, share), glassPart(view, N.count - 1, share, share)];
  if (L.narrow) pen.line([[first.x, L.begin], [first.x, L.end]], theme.text, 1);
  else pen.line([[first.x - 8, first.y], [last.x + last.w + 8, first.y]], theme.text, 1);
}

/** Rings around the tokens that may be guessed, then around the one that was and the one that is right. */
function drawQuestion(view, seconds) {
  const { pen, numbers: N, word, guess, tokens, theme } = view;
  const answered = part(seconds, GUESS_AT + 1.6, GUESS_AT + 2.2);
  const ring = (index, colour, thick, dashed = false) => {
    const seat = tokens[index];
    pen.round({ x: seat.x - seat.w / 2 - 3, y: seat.y - seat.h / 2 - 3, w: seat.w + 6, h: seat.h + 6 }, 9, { line: colour, thick, dashed });
  };
  pen.faded(part(seconds, 2.2, 3) * (1 - part(seconds, GUESS_AT, GUESS_AT + 0.4)), () => {
    tokens.forEach((_, index) => N.sees(word, index) && ring(index, theme.accent, 1.5, true));
  });
  if (guess !== null && guess !== N.most(word)) pen.faded(part(seconds, GUESS_AT, GUESS_AT + 0.3), () => ring(guess, view.quiet, 2, true));
  pen.faded(answered, () => ring(N.most(word), theme.accent, 3));
}

/** The shares one after the other in one bar: together they are 1. */
function drawWhole(view, seconds) {
  const { pen, numbers: N, word, theme, images: I } = view;
  const whole = wholeBox(view);
  const size = 13 * pen.unit;
  pen.faded(part(seconds, GUESS_AT + 1.6, GUESS_AT + 2.2), () => {
    pen.frame(whole, theme.line);
    pen.write("0", whole.x - 8 * pen.unit, whole.y + whole.h / 2, { size });
  });
  let left = whole.x;
  for (let index = 0; index < N.count; index++) {
    const share = N.share(word, index);
    const to = { x: left, y: whole.y, w: share * whole.w, h: whole.h };
    left += to.w;
    const flown = inTurn(seconds, GUESS_AT + 2.2, GUESS_AT + 4.8, index, N.count, 0.9);
    if (flown <= 0) continue;
    const box = mixBox(glassPart(view, index, 0, share), to, flown);
    pen.fill(box, I.shareColour(0.25 + 0.6 * share));
    pen.frame({ x: box.x + 0.5, y: box.y + 0.5, w: Math.max(0, box.w - 1), h: box.h - 1 }, theme.background);
    if (to.w > 22 * pen.unit) {
      pen.faded(part(flown, 0.7, 1), () => pen.write(N.labels[index], box.x + box.w / 2, box.y + box.h / 2, { size, room: to.w - 6, colour: I.textOnShare(0.25 + 0.6 * share) }));
    }
  }
  pen.faded(part(seconds, GUESS_AT + 4.6, GUESS_AT + 5.2), () => pen.write("1", whole.x + whole.w + 10 * pen.unit, whole.y + whole.h / 2, { size: 16 * pen.unit, bold: true }));
}

// 6: values -----------------------------------------------------------------------------------------------------------

/** The share of a token as a cell, which becomes a cell of the map. */
function shareCell(view, index) {
  const { layout: L, pen } = view;
  if (L.narrow) return L.box(L.along[index], Math.min(20 * pen.unit, L.pitches[index] - 2), L.across(0, 90), L.across(0, 128));
  return L.box(L.along[index], Math.min(56 * pen.unit, L.pitches[index] - 3), 44 * pen.unit, 66 * pen.unit);
}

function drawShareCell(view, index, box, told = 1) {
  const { pen, numbers: N, images: I, word, theme } = view;
  const share = N.share(word, index);
  pen.fill(box, I.shareColour(share));
  pen.frame(box, theme.line);
  pen.faded(told, () => pen.write(signedNumber(share), box.x + box.w / 2, box.y + box.h / 2, { size: Math.min(13 * pen.unit, box.h * 0.85), colour: I.textOnShare(share), room: box.w - 2, least: 7 }));
}

function valueBox(view, index) {
  const { layout: L } = view;
  return L.box(L.along[index], L.thick, L.across(86, 138), L.across(200, 212));
}

function newVectorBox(view) {
  const { layout: L, pen, word } = view;
  const along = L.narrow ? L.along[word] : limit(L.along[word], L.begin + 40, L.width - 60);
  return L.box(along, Math.max(L.thick * 1.3, 14 * pen.unit), L.across(284, 270), L.across(382, 350));
}

/** The line along which the value of a token flows to the asking word. */
function flowCurve(view, index) {
  const { layout: L } = view;
  const to = newVectorBox(view);
  const ends = L.narrow ? [to.x, to.y + to.h / 2] : [to.x + to.w / 2, to.y];
  const from = L.point(L.along[index], L.across(200, 212));
  const [begin, end] = L.narrow ? [from[0], ends[0]] : [from[1], ends[1]];
  const half = mix(begin, end, 0.55);
  return L.narrow ? [from, [half, from[1]], [half, ends[1]], ends] : [from, [from[0], half], [ends[0], half], ends];
}

function drawValues(view, seconds, leaving) {
  const { pen, numbers: N, images: I, layout: L, texts, word, theme } = view;
  const came = (index) => inTurn(seconds, 1, 2.4, index, N.count, 0.8);
  const flowed = Float32Array.from(N.labels, (_, index) => inTurn(seconds, 2.6, 6.2, index, N.count, 1.5));
  const wide = (index) => Math.max(0.6, N.share(word, index) * 30 * pen.unit);
  N.labels.forEach((_, index) => {
    if (!N.sees(word, index)) return;
    pen.faded(0.5, () => pen.curve(flowCurve(view, index), theme.accent, wide(index), flowed[index]));
  });
  if (N.values) {
    N.labels.forEach((_, index) => {
      if (flowed[index] > 0 && flowed[index] < 1) drawTraveller(view, index, flowed[index], wide(index));
    });
  }
  for (let index = 0; index < N.count; index++) {
    const settled = moved(seconds, 0, 1);
    const from = glassPart(view, index, 0, N.share(word, index));
    if (!leaving) drawShareCell(view, index, mixBox(from, shareCell(view, index), settled), part(settled, 0.6, 1));
    if (!N.values || came(index) <= 0) continue;
    const start = shareCell(view, index);
    const box = mixBox({ ...start, ...(L.narrow ? { w: 2, x: start.x + start.w } : { h: 2, y: start.y + start.h }) }, valueBox(view, index), came(index));
    pen.strip(I.values, index, box);
    pen.frame(box, theme.line);
  }
  pen.faded(leaving ? 1 : part(seconds, 1.8, 2.4), () => {
    const box = valueBox(view, 0);
    if (N.values) nameOfRow(view, texts.value, box.y + box.h / 2, [box.x + box.w / 2, L.begin - 16 * pen.unit]);
    if (!L.narrow) nameOfRow(view, texts.share, 55 * pen.unit, [0, 0]);
    else nameOfRow(view, texts.share, 0, [L.across(0, 109), L.begin - 34 * pen.unit]);
  });
  if (!N.values) return;
  const box = newVectorBox(view);
  pen.faded(part(seconds, 2.4, 2.9), () => {
    const done = seconds >= 6.2;
    const image = done ? I.outputs : I.passing(N.weighted(word, flowed), 1, I.largest.values);
    pen.strip(image, done ? word : 0, box);
    pen.frame(box, theme.accent, 2);
  });
  pen.faded(part(seconds, 6, 6.6), () => {
    const right = !L.narrow && box.x + box.w + 120 * pen.unit < L.width;
    const [x, y] = L.narrow ? [box.x + box.w / 2, box.y + box.h + 12 * pen.unit] : [right ? box.x + box.w + 10 : box.x - 10, box.y + box.h / 2];
    const align = L.narrow ? "center" : right ? "left" : "right";
    pen.write(texts.newVector, x, y, { bold: true, size: 14 * pen.unit, colour: theme.accent, align, room: L.narrow ? 2 * (L.width - box.x - box.w / 2) - 4 : 0 });
  });
}

/** A small copy of a value on its way along its line. */
function drawTraveller(view, index, share, wide) {
  const { pen, images: I, layout: L, theme } = view;
  const [x, y] = onCurve(flowCurve(view, index), share);
  const [length, thick] = [26 * pen.unit, Math.max(5, Math.min(wide, 18 * pen.unit))];
  const box = L.narrow ? { x: x - length / 2, y: y - thick / 2, w: length, h: thick } : { x: x - thick / 2, y: y - length / 2, w: thick, h: length };
  pen.strip(I.values, index, box);
  pen.frame(box, theme.line);
}

const ROLE_SIZE = 11; // of what a head does, on a narrow picture

// 7: heads ------------------------------------------------------------------------------------------------------------

/** The map of the head while it is alone: on a wide picture each column stands under its token. */
function largeMap(view) {
  const { layout: L, pen, numbers: N } = view;
  const top = L.topEnd + 12 * pen.unit;
  if (L.narrow) {
    const side = Math.min(L.width - 110, 260 * pen.unit);
    return { left: 92, top: top + 40, cells: L.along.map(() => side / N.count), row: side / N.count };
  }
  return { left: L.along[0] - L.pitches[0] / 2, top, cells: L.pitches, row: Math.min(30 * pen.unit, (L.height - top - 10) / N.count) };
}

function largeCell(view, row, column, map = largeMap(view)) {
  let x = map.left;
  for (let index = 0; index < column; index++) x += map.cells[index];
  return { x, y: map.top + row * map.row, w: map.cells[column], h: map.row };
}

function largeBox(view) {
  const map = largeMap(view);
  const last = largeCell(view, view.numbers.count - 1, view.numbers.count - 1, map);
  return { x: map.left, y: map.top, w: last.x + last.w - map.left, h: last.y + last.h - map.top };
}

/** The heads beside each other, as large as there is room: for each the box of its map and how wide its place is. */
function headGrid(view) {
  const { layout: L, pen, numbers: N } = view;
  const count = N.heads.length;
  const top = L.topEnd + 10 * pen.unit;
  const [width, height] = [L.width - 8, L.height - top - 4];
  // On a narrow picture what a head does stands below its map, in as many lines as it needs.
  const below = (room) => Math.max(0, ...N.heads.map(({ role }) => (role ? pen.lines(role, room, ROLE_SIZE * pen.unit, 9).length : 0)));
  let best = { side: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const lines = Math.ceil(count / columns);
    const words = (20 + (L.narrow ? 6 + below(width / columns - 6) * ROLE_SIZE * 1.25 : 0)) * pen.unit;
    const side = Math.min(width / columns - (L.narrow ? 14 : 90 * pen.unit), height / lines - words - 6);
    if (side > best.side) best = { columns, side, lines };
  }
  best = best.side > 0 ? best : { columns: Math.ceil(Math.sqrt(count)), side: 20, lines: Math.ceil(Math.sqrt(count)) };
  const [w, h] = [width / best.columns, height / best.lines];
  return N.heads.map((_, index) => ({
    x: 4 + (index % best.columns) * w + (L.narrow ? (w - best.side) / 2 : 6),
    y: top + Math.floor(index / best.columns) * h + 20 * pen.unit,
    w: best.side,
    h: best.side,
    room: L.narrow ? w - 6 : w - best.side - 22,
    place: w,
  }));
}

function ownHead(view) {
  const { heads, data } = view.numbers;
  const index = heads.findIndex(({ name }) => name === data.head.name);
  return index < 0 ? limit(data.head.head, 0, heads.length - 1) : index;
}

function drawHeads(view, seconds, leaving) {
  const { pen, numbers: N, images: I, layout: L, word, theme, texts } = view;
  const grid = headGrid(view);
  const own = ownHead(view);
  const shrunk = moved(seconds, 2.7, 4.1);
  const large = largeBox(view);
  if (seconds < 2.7) {
    const map = largeMap(view);
    const settled = moved(seconds, 0, 1.2);
    pen.faded(part(seconds, 1.2, 2.2), () => drawMap(view, I.maps[own], large));
    for (let index = 0; index < N.count; index++) drawShareCell(view, index, mixBox(shareCell(view, index), largeCell(view, word, index, map), settled), 1 - part(seconds, 1.4, 2));
    pen.faded(part(seconds, 1.2, 2), () => {
      N.labels.forEach((label, row) => {
        if (map.row >= 10) pen.write(label, map.left - 6, map.top + (row + 0.5) * map.row, { align: "right", size: Math.min(13 * pen.unit, map.row * 0.8), room: L.narrow ? 84 : L.begin - 12, bold: row === word });
      });
      if (L.narrow) pen.write(N.data.head.name, large.x + large.w / 2, large.y - 12, { size: 13 * pen.unit, bold: true });
    });
    pen.faded(settled, () => pen.frame({ x: large.x, y: map.top + word * map.row, w: large.w, h: map.row }, theme.accent, 2));
    return;
  }
  grid.forEach((box, index) => {
    const out = index === own ? shrunk : moved(seconds, 3.3 + 0.12 * Math.abs(index - own), 4.5 + 0.12 * Math.abs(index - own));
    const from = index === own ? large : grid[own];
    const now = mixBox(from, box, out);
    if (!leaving) pen.faded(index === own ? 1 : part(out, 0, 0.3), () => drawMap(view, I.maps[index], now));
    if (!leaving) pen.faded(index === own ? 1 : out, () => pen.frame({ x: now.x, y: now.y + (word * now.h) / N.count, w: now.w, h: now.h / N.count }, theme.accent, index === own ? 2 : 1));
    pen.faded(leaving ? 1 : part(seconds, 4.6, 5.4), () => {
      const { name, role } = N.heads[index];
      const style = { size: 13 * pen.unit, align: L.narrow ? "center" : "left" };
      const x = L.narrow ? box.x + box.w / 2 : box.x;
      pen.write(name, x, box.y - 10 * pen.unit, { ...style, bold: true, colour: index === own ? theme.accent : theme.text, room: box.place - 8 });
      if (!role) return;
      let size = 12 * pen.unit;
      const most = () => Math.max(3, Math.floor(box.h / (size * 1.25)));
      while (!L.narrow && size > 9 && pen.lines(role, box.room, size, 99).length > most()) size -= 1;
      pen.faded(part(seconds, 5.2, 6) || (leaving ? 1 : 0), () => {
        if (L.narrow) pen.writeLines(role, x, box.y + box.h + 9 * pen.unit, box.room, { size: ROLE_SIZE * pen.unit, most: 9 });
        else if (box.room > 56) pen.writeLines(role, box.x + box.w + 10, box.y + 9 * pen.unit, box.room, { size, most: most(), align: "left" });
      });
    });
  });
}

function drawMap(view, image, box) {
  const { pen, theme } = view;
  pen.context.imageSmoothingEnabled = false;
  pen.context.drawImage(image, box.x, box.y, box.w, box.h);
  pen.frame(box, theme.line);
}
