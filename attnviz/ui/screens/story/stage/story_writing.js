// Scene 10: the sentence is written, token by token.

// 10: writing ---------------------------------------------------------------------------------------------------------

/** The tokens that are written, with the start before them, and the places of their boxes. */
function writtenSeats(view) {
  const { layout: L, pen, numbers: N } = view;
  const { writing } = N.data;
  const steps = N.steps.map(({ label }) => label.trim() || label);
  const size = (L.narrow ? 12 : 15) * pen.unit;
  const wide = (label) => Math.max(20 * pen.unit, pen.width(label, size) + 14 * pen.unit);
  // A gap is filled where it is: its box has room for the mask and for the word.
  const labels = fills(writing) ? writing.start : [...writing.start, ...steps];
  const boxes = labels.map((label, index) => ({
    label, size, w: fills(writing) && index === writing.gap ? Math.max(wide(label), wide(steps[0])) : wide(label), h: size * 1.65,
  }));
  const top = L.narrow ? L.topEnd + 96 * pen.unit : L.topEnd + 118 * pen.unit;
  const begin = L.narrow ? 2 : L.begin;
  return flow(boxes, L.width - begin - 6, size * 2.1, top, 6 * pen.unit).map((box) => ({ ...box, x: box.x + begin }));
}

/** Whether a word in the middle of the text is predicted rather than the next one. */
function fills(writing) {
  return writing.gap !== null && writing.gap !== undefined;
}

/** Which step a time belongs to, and how far it is; the first takes longer than the others. */
function stepAt(view, seconds) {
  const count = view.numbers.steps.length;
  const first = count > 1 ? 3.2 : 7;
  const begin = 1.2;
  if (seconds < begin + first || count === 1) return { step: 0, share: part(seconds, begin, begin + first) };
  const each = (SCENE_SECONDS[9] - 0.6 - begin - first) / (count - 1);
  const step = Math.min(count - 1, 1 + Math.floor((seconds - begin - first) / each));
  return { step, share: part(seconds, begin + first + (step - 1) * each, begin + first + step * each) };
}

function drawWriting(view, seconds, leaving) {
  const { pen, numbers: N, theme, layout: L, texts } = view;
  if (!N.steps.length || leaving) return;
  const seats = writtenSeats(view);
  const { step, share } = stepAt(view, seconds);
  const { writing } = N.data;
  const at = fills(writing) ? writing.gap : writing.start.length + step;
  const now = seats[at];
  const { own, cross } = N.steps[step];
  pen.faded(part(seconds, 0.6, 1.2), () => {
    const row = seats[0];
    if (!L.narrow) nameOfRow(view, fills(writing) ? "" : writing.language || texts.written, row.y, [0, 0]);
    seats.slice(0, fills(writing) ? seats.length : at).forEach((seat) => drawWrittenBox(view, seat));
    if (cross) drawCross(view, now, cross, part(share, 0.12, 0.45));
    drawOwn(view, seats, at, own, part(share, 0, 0.3));
    pen.round(around(now), 7, { line: theme.accent, thick: 1.6, dashed: share < 1, fill: theme.background });
    if (share < 0.8 && fills(writing)) pen.write(now.label, now.x, now.y, { size: now.size, colour: theme.accent });
    else if (share < 0.8) pen.write("?", now.x, now.y, { size: now.size, colour: theme.accent });
    drawCandidates(view, step, now, seats, share);
  });
}

function around(seat) {
  return { x: seat.x - seat.w / 2, y: seat.y - seat.h / 2, w: seat.w, h: seat.h };
}

function drawWrittenBox(view, seat) {
  const { pen, theme } = view;
  pen.round(around(seat), 7, { fill: theme.background, line: theme.line });
  pen.write(seat.label, seat.x, seat.y + 0.5, { size: seat.size });
}

/** Lines from the token to come up to the source. */
function drawCross(view, now, weights, share) {
  const { pen, tokens, theme, layout: L, texts, numbers: N } = view;
  tokens.forEach((seat, index) => {
    const from = [now.x, now.y - now.h / 2];
    const to = [seat.x, seat.y + seat.h / 2];
    const half = mix(from[1], to[1], 0.5);
    pen.faded(0.55, () => weights[index] > 0.004 && pen.curve([from, [from[0], half], [to[0], half], to], theme.accent, Math.max(0.5, weights[index] * 16 * pen.unit), share));
  });
  pen.faded(share, () => pen.write(`${texts.cross} (${N.data.writing.crossName})`, L.narrow ? 4 : 4, L.topEnd + 14 * pen.unit, { align: "left", size: 12.5 * pen.unit, colour: view.quiet, room: L.width - 8, halo: true }));
}

/** Arcs from the token to come to those before it. */
function drawOwn(view, seats, index, weights, share) {
  const { pen, theme, texts, numbers: N, layout: L } = view;
  const now = seats[index];
  const before = seats.slice(0, Math.max(index + 1, weights.length));
  const deepest = Math.max(...before.map((seat) => seat.y));
  weights.forEach((weight, key) => {
    const seat = seats[key];
    if (!seat || seat === now || weight <= 0.004) return;
    const [from, to] = [[now.x, now.y + now.h / 2], [seat.x, seat.y + seat.h / 2]];
    const deep = Math.max(from[1], to[1]) + Math.min(30 * pen.unit, 10 * pen.unit + Math.abs(now.x - seat.x) * 0.12);
    pen.faded(0.6, () => pen.curve([from, [from[0], deep], [to[0], deep], to], view.negative, Math.max(0.5, weight * 12 * pen.unit), share));
  });
  pen.faded(share, () => pen.write(`${fills(N.data.writing) ? texts.looks : texts.own} (${N.data.writing.selfName})`, L.narrow ? 4 : 4, deepest + 46 * pen.unit, { align: "left", size: 12.5 * pen.unit, colour: view.quiet, room: L.width - 8, halo: true }));
}

/** Bars over the vocabulary; the longest goes up into its place. */
function drawCandidates(view, step, now, seats, share) {
  const { pen, numbers: N, theme, layout: L } = view;
  const { candidates, id, label } = N.steps[step];
  const unit = pen.unit;
  const grown = moved(share, 0.4, 0.7);
  const below = seats.at(-1).y + 66 * unit;
  const top = L.narrow ? below : Math.max(below, L.height - candidates.length * 26 * unit - 12 * unit);
  const each = Math.min(26 * unit, (L.height - top - 4) / candidates.length);
  const left = L.narrow ? 110 * unit : limit(now.x - 60 * unit, 240 * unit, L.width - 420 * unit);
  const room = (L.narrow ? L.width - left - 62 * unit : 300 * unit);
  const chosen = Math.max(0, candidates.findIndex(([name, , own]) => (own === undefined ? name.trim() === label.trim() : own === id)));
  pen.faded(part(share, 0.36, 0.46), () => candidates.forEach(([name, probability], index) => {
    const y = top + (index + 0.5) * each;
    const best = index === chosen;
    pen.write(name.trim() || name, left - 8, y, { align: "right", size: 13.5 * unit, bold: best && share > 0.7, colour: best && share > 0.7 ? theme.accent : theme.text, room: 100 * unit });
    pen.fill({ x: left, y: y - each * 0.32, w: Math.max(1, room * probability * grown), h: each * 0.64 }, best ? theme.accent : view.faintAccent);
    pen.faded(part(grown, 0.7, 1), () => pen.write(signedNumber(probability), left + room * probability * grown + 8, y, { align: "left", size: 13 * unit }));
  }));
  const flown = moved(share, 0.74, 0.96);
  if (flown <= 0) return;
  const [fromX, fromY] = [left - 8 - Math.min(50 * unit, pen.width(label, 13 * unit)) / 2, top + (chosen + 0.5) * each];
  pen.write(label.trim() || label, mix(fromX, now.x, flown), mix(fromY, now.y, flown), { size: now.size, bold: true, colour: theme.accent });
}
