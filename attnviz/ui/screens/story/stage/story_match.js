// Scenes 3 and 4: a word's query and the keys of all words, and how their products add up to scores.

// 3: the query and the keys -------------------------------------------------------------------------------------------

/** The vector of a token made short, while queries and keys are compared. */
function sourceBox(view, index) {
  const { layout: L } = view;
  return L.box(L.along[index], L.thick, L.across(58, 92), L.across(94, 122));
}

function keyBox(view, index, shift = 0) {
  const { layout: L } = view;
  const from = L.across(136, 140);
  return L.box(L.along[index] + shift * L.thick, L.thick, from, from + L.strip);
}

/** Where the query waits: beside the keys, at the same height as they are. */
function queryBox(view) {
  const { layout: L, pen } = view;
  const from = L.across(136, 140);
  return L.box(L.narrow ? 38 * pen.unit : L.begin - 26 * pen.unit, Math.max(L.thick, 12 * pen.unit), from, from + L.strip);
}

function drawQuery(view, seconds, leaving) {
  const { pen, numbers: N, images: I, layout: L, texts, word, theme } = view;
  const shrunk = leaving ? 1 : moved(seconds, 0, 1.1);
  for (let index = 0; index < N.count; index++) {
    const box = mixBox(vectorBox(view, index), sourceBox(view, index), shrunk);
    pen.strip(I.sum, index, box);
    pen.frame(box, theme.line);
  }
  pen.faded(leaving ? 1 : part(seconds, 0.8, 1.4), () => drawHeadName(view));
  if (!N.queries) return;
  if (!leaving) {
    const lifted = moved(seconds, 1.3, 2.8);
    if (lifted > 0) morphStrip(view, [I.sum, I.queries], word, sourceBox(view, word), queryBox(view), lifted);
    for (let index = 0; index < N.count; index++) {
      const out = inTurn(seconds, 3.4, 5.4, index, N.count, 1.1);
      if (out > 0) morphStrip(view, [I.sum, I.keys], index, sourceBox(view, index), keyBox(view, index), out);
    }
    pen.faded(part(seconds, 2.4, 3), () => pen.frame(queryBox(view), theme.accent, 2));
  }
  pen.faded(leaving ? 1 : part(seconds, 2.6, 3.2), () => nameQuery(view));
  pen.faded(leaving ? 1 : part(seconds, 5, 5.6), () => nameKeys(view));
  pen.faded(leaving ? 1 : part(seconds, 5.4, 6), () => {
    const length = Math.min(N.width, N.row(N.queries, word).length);
    drawLens(view, [
      { name: texts.query, values: N.row(N.queries, word), opacity: 1 },
    ], I.largest.match, L.narrow ? queryBox(view) : queryBox(view), length);
  });
}

function drawHeadName(view) {
  const { pen, layout: L, numbers: N } = view;
  const [x, y] = L.narrow ? [2, 14 * pen.unit] : [4, 76 * pen.unit];
  pen.write(N.data.head.name, x, y, { align: "left", bold: true, size: 14 * pen.unit, colour: view.theme.accent });
}

function nameQuery(view) {
  const { pen, layout: L } = view;
  const box = queryBox(view);
  const at = L.narrow ? [box.x - 8 * pen.unit, box.y + box.h / 2] : [box.x - 8 * pen.unit, box.y + box.h / 2];
  pen.write(view.texts.query, ...at, { align: "right", size: 13 * pen.unit, bold: true, colour: view.theme.accent, room: at[0] - 4 });
}

function nameKeys(view) {
  const { pen, layout: L, numbers: N } = view;
  const size = 13 * pen.unit;
  if (L.narrow) {
    const box = keyBox(view, N.count - 1);
    pen.write(view.texts.key, box.x + box.w / 2, L.end + 10 * pen.unit, { size, colour: view.quiet });
  } else {
    N.labels.forEach((_, index) => {
      const box = keyBox(view, index);
      if (L.pitches[index] > 34 * pen.unit) pen.write(view.texts.key, L.along[index], box.y + box.h + 13 * pen.unit, { size, colour: view.quiet, room: L.pitches[index] - 4 });
    });
  }
}

/** A strip on its way from one place to another, where it becomes another one. */
function morphStrip(view, [before, after], row, from, to, share) {
  const { pen, theme } = view;
  const box = mixBox(from, to, share);
  pen.strip(before, row, box);
  pen.faded(part(share, 0.35, 0.85), () => pen.strip(after, row, box));
  pen.frame(box, theme.line);
}

// 4: products ---------------------------------------------------------------------------------------------------------

/** The key whose products are shown one by one: the one that is looked at most, or the next if that is the word itself. */
function firstKey(view) {
  const { numbers: N, word } = view;
  const order = Array.from(N.row(N.weights, word), (_, index) => index)
    .filter((index) => N.sees(word, index) && index !== word)
    .sort((one, other) => N.share(word, other) - N.share(word, one));
  return order[0] ?? word;
}

/** Where the score of a token stands under its key. */
function scorePoint(view, index) {
  const { layout: L, pen } = view;
  return L.narrow ? [L.width - 4, L.along[index]] : [L.along[index], (keyBox(view, index).y + L.strip + 17 * pen.unit)];
}

function writeScore(view, text, [x, y], style = {}) {
  const { pen, layout: L } = view;
  const align = L.narrow ? "right" : "center";
  // All are set in one size, in which "−0.39" fits the narrowest column.
  const size = Math.min(15 * pen.unit, L.narrow ? L.pitches[0] : (Math.min(...L.pitches) - 3) / 2.75);
  pen.write(text, x, y, { size: Math.max(7, size), align, room: L.narrow ? 52 * pen.unit : 0, ...style });
}

function drawProducts(view, seconds, leaving) {
  const { pen, numbers: N, images: I, layout: L, texts, word, theme } = view;
  pen.faded(1, () => drawHeadName(view));
  for (let index = 0; index < N.count; index++) {
    pen.strip(I.sum, index, sourceBox(view, index));
    pen.frame(sourceBox(view, index), theme.line);
  }
  if (!N.queries) return drawScoresOnly(view, seconds, leaving);
  const first = firstKey(view);
  const image = I.products(word);
  pen.faded(1 - part(seconds, 0, 0.5), () => nameKeys(view));
  for (let index = 0; index < N.count; index++) {
    const early = index === first;
    const turn = index > first ? index - 1 : index;
    const came = early ? moved(seconds, 0.4, 1.7) : inTurn(seconds, 5.4, 7.2, turn, N.count - 1, 0.9);
    const multiplied = early ? part(seconds, 1.9, 4.2) : inTurn(seconds, 6, 8, turn, N.count - 1, 0.9);
    drawMatch(view, { index, image, came, multiplied, forbidden: !N.sees(word, index) });
    const told = early ? part(seconds, 4.9, 5.3) : inTurn(seconds, 6.6, 8.5, turn, N.count - 1, 0.5);
    if (!leaving) pen.faded(told, () => writeScore(view, N.sees(word, index) ? signedNumber(N.score(word, index)) : texts.forbidden, scorePoint(view, index), { bold: early }));
  }
  pen.strip(I.queries, word, queryBox(view));
  pen.frame(queryBox(view), theme.accent, 2);
  nameQuery(view);
  pen.faded(part(seconds, 7.4, 8), () => {
    if (L.narrow) pen.write(texts.score, L.width - 4, L.begin - 12 * pen.unit, { align: "right", colour: view.quiet, size: 13 * pen.unit, room: 70 });
    else nameOfRow(view, texts.score, scorePoint(view, 0)[1], [0, 0]);
  });
  const products = N.products(word, first);
  const upTo = Math.floor(part(seconds, 1.9, 4.2) * N.width);
  drawLens(view, [
    { name: texts.query, values: N.row(N.queries, word), opacity: leaving ? 1 : part(seconds, 0.6, 1.2) },
    { sign: "×", name: texts.key, values: N.row(N.keys, first), opacity: part(seconds, 1, 1.6) },
    { sign: "=", name: texts.product, values: products, upTo, largest: I.largest.products, opacity: part(seconds, 1.8, 2) },
  ], I.largest.match, keyBox(view, first, -0.6), N.width);
  if (seconds > 1.9) drawSum(view, first, products, seconds);
  return undefined;
}

/** One key with a copy of the query beside it, and the products that come out between them. */
function drawMatch(view, { index, image, came, multiplied, forbidden }) {
  const { pen, images: I, word, theme } = view;
  const apart = came > 0 ? Math.min(1, came * 2) : 0;
  const key = keyBox(view, index, -0.6 * apart);
  pen.strip(I.keys, index, key);
  pen.frame(key, theme.line);
  if (forbidden) return pen.faded(apart, () => pen.round({ x: key.x - 2, y: key.y - 2, w: key.w + 4, h: key.h + 4 }, 3, { fill: view.dark }));
  const beside = keyBox(view, index, 0.6);
  if (came > 0 && multiplied < 1) {
    const box = mixBox(queryBox(view), beside, came);
    pen.strip(I.queries, word, box);
    pen.frame(box, theme.accent, 1.5);
  }
  if (multiplied > 0) {
    pen.stripPart(image, index, beside, multiplied);
    if (multiplied >= 1) pen.frame(beside, theme.line);
  }
  return undefined;
}

/** The sum of the products so far, and what it is divided by. */
function drawSum(view, key, products, seconds) {
  const { pen, numbers: N, layout: L, theme, texts } = view;
  const summed = part(seconds, 1.9, 4.2);
  const cells = Math.round(summed * N.width);
  let sum = 0;
  for (let cell = 0; cell < cells; cell++) sum += products[cell];
  const beside = keyBox(view, key, 0.6);
  if (summed < 1) {
    const share = cells / N.width;
    const mark = L.narrow ? { x: beside.x + beside.w * share - 1, y: beside.y - beside.h * 1.3, w: 2, h: beside.h * 2.4 }
      : { x: beside.x - beside.w * 1.3, y: beside.y + beside.h * share - 1, w: beside.w * 2.4, h: 2 };
    pen.fill(mark, theme.accent);
  }
  const [x, y] = scorePoint(view, key);
  pen.faded(1 - part(seconds, 4.9, 5.3), () => writeScore(view, signedNumber(sum), [x, y], { bold: true }));
  if (!N.data.head.plain) return;
  // The whole division stays to be read, where there is room for a line.
  pen.faded(part(seconds, 4.4, 4.9), () => {
    const line = `${texts.score}: ${signedNumber(sum)} ÷ ${signedNumber(N.data.head.divisor)} = ${signedNumber(N.score(view.word, key))}`;
    const at = L.narrow ? [L.width / 2, L.end + 12 * pen.unit] : [limit(L.along[key], 120 * pen.unit, L.width - 120 * pen.unit), y + 17 * pen.unit];
    if (seconds >= 4.4 && cells === N.width) pen.write(line, ...at, { size: 12.5 * pen.unit, colour: view.quiet });
  });
}

/** Models that hand out nothing but weights have no strips to multiply; their scores are shown as they are. */
function drawScoresOnly(view, seconds, leaving) {
  const { pen, numbers: N, word } = view;
  if (!N.scores || leaving) return;
  for (let index = 0; index < N.count; index++) {
    const told = inTurn(seconds, 1.5, 5, index, N.count, 0.8);
    pen.faded(told, () => writeScore(view, N.sees(word, index) ? signedNumber(N.score(word, index)) : view.texts.forbidden, scorePoint(view, index)));
  }
}
