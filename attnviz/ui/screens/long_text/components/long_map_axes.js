// The labels of the map's axes: single tokens where they have room, else sentences, else sections by their first words;
// never words run together.

const AXIS_FONT = 12; // CSS pixels
const LEAST_APART = { row: 17, column: 19 }; // CSS pixels between two labels
const TURN = (-48 * Math.PI) / 180; // of the labels over the columns
const MARK = { sentence: 4, section: 8 }; // CSS pixels

/** Of an axis, which places get a label: [{ at, text, weight }], `at` in tokens. */
function axisLabels(span, axis, tokens, room, least) {
  if (tokens && tokens.labels.length && room / span.length >= least - 5) {
    return tokens.labels
      .map((text, index) => ({ at: tokens.first + index + 0.5, text, weight: 0 }))
      .filter(({ at }) => at > span.first && at < span.stop);
  }
  if (!axis) return [];
  const scale = room / span.length;
  const candidates = axis.passages
    .filter(({ start, stop, special }) => !special && stop > start && stop > span.first && start < span.stop)
    .map((passage) => {
      const middle = Math.min((passage.stop - passage.start) / 2, (least * 0.5) / scale);
      const weight = passage.level ? passage.level : passage.opens ? 8 : 9;
      return { at: Math.max(passage.start, span.first) + middle, text: passage.label, weight };
    });
  const placed = [];
  for (const candidate of candidates.sort((one, other) => one.weight - other.weight)) {
    if (placed.every(({ at }) => Math.abs(at - candidate.at) * scale >= least)) placed.push(candidate);
  }
  return placed;
}

/** The labels and marks around the map. */
function drawAxes(context, theme, { box, spans, axes, tokens }) {
  const { left, top, side, gutter, head } = box;
  context.font = `${AXIS_FONT}px ${theme.font}`;
  context.textBaseline = "middle";
  const [height, width] = [box.height, side];
  const rows = axisLabels(spans.queries, axes.queries, tokens.queries, height, LEAST_APART.row);
  context.textAlign = "right";
  for (const { at, text, weight } of rows) {
    const y = top + ((at - spans.queries.first) / spans.queries.length) * height;
    if (y < top + 4 || y > top + height - 4) continue;
    context.fillStyle = theme.text;
    context.font = `${weight && weight < 8 ? "600 " : ""}${AXIS_FONT}px ${theme.font}`;
    context.fillText(shorten(context, text, gutter - 16), left - 12, y);
  }
  const columns = axisLabels(spans.keys, axes.keys, tokens.keys, width, LEAST_APART.column);
  context.textAlign = "left";
  for (const { at, text, weight } of columns) {
    const x = left + ((at - spans.keys.first) / spans.keys.length) * width;
    if (x < left + 2 || x > left + width - 4) continue;
    context.save();
    context.translate(x, top - 12);
    context.rotate(TURN);
    context.font = `${weight && weight < 8 ? "600 " : ""}${AXIS_FONT}px ${theme.font}`;
    // It may not reach beyond the picture, neither above nor to the right.
    const across = (box.right - x) / Math.cos(TURN);
    const room = Math.min((head - 18) / Math.abs(Math.sin(TURN)), across);
    if (room > 24) context.fillText(shorten(context, text, room), 0, 0);
    context.restore();
  }
  drawMarks(context, theme, box, spans, axes);
}

/** A short line where a sentence begins, a longer one where a section does. */
function drawMarks(context, theme, box, spans, axes) {
  const { left, top, side, height } = box;
  context.strokeStyle = theme.text;
  context.lineWidth = 1;
  for (const [name, room] of [["queries", height], ["keys", side]]) {
    const [span, axis] = [spans[name], axes[name]];
    if (!axis) continue;
    const seen = axis.passages.filter(({ start, stop, special }) => !special && stop > start && start >= span.first && start < span.stop);
    const dense = seen.length > room / 5;
    for (const { start, level, opens } of seen) {
      if (dense && !level && !opens) continue;
      const long = level || opens ? MARK.section : MARK.sentence;
      const at = Math.round(((start - span.first) / span.length) * room) + 0.5;
      context.globalAlpha = level || opens ? 0.9 : 0.5;
      context.beginPath();
      if (name === "queries") context.moveTo(left - 1, top + at), context.lineTo(left - 1 - long, top + at);
      else context.moveTo(left + at, top - 1), context.lineTo(left + at, top - 1 - long);
      context.stroke();
    }
  }
  context.globalAlpha = 1;
}
