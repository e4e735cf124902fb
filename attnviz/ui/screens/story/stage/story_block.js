// Scenes 8 and 9: the block, and the way of the word through the layers.

// 8: the block --------------------------------------------------------------------------------------------------------

/** One box for the results of all heads, one after the other. */
function joinedBox(view) {
  const { layout: L, pen } = view;
  const y = L.topEnd + 14 * pen.unit;
  return L.narrow ? { x: 8, y, w: L.width - 16, h: 22 * pen.unit } : { x: L.begin, y, w: L.width - L.begin - 8, h: 26 * pen.unit };
}

function joinedPart(view, index) {
  const box = joinedBox(view);
  const w = box.w / view.numbers.heads.length;
  return { ...box, x: box.x + index * w, w };
}

/** The line on which the word goes through the block, the boxes of its stages, and where each comes back to the line. */
function blockPlan(view) {
  const { layout: L, pen, numbers: N } = view;
  const unit = pen.unit;
  const stages = N.block;
  const joined = joinedBox(view);
  const top = joined.y + joined.h + 26 * unit;
  const count = Math.max(1, stages.length);
  if (L.narrow) {
    const step = Math.min(104 * unit, (L.height - top - 44 * unit) / count);
    const x = 40 * unit;
    const boxes = stages.map((stage, index) => {
      const left = stage.branch ? 84 * unit : x - 18 * unit;
      return { x: left, y: top + 30 * unit + index * step, w: L.width - 12 - left, h: Math.min(58 * unit, step - 34 * unit) };
    });
    const at = boxes.map((box) => [x, box.y + box.h + 10 * unit]);
    return { start: [x, top], end: [x, (at.at(-1)?.[1] ?? top) + 26 * unit], boxes, at };
  }
  const y = top + 196 * unit;
  const from = 70 * unit;
  const step = (L.width - from - 60 * unit) / count;
  const boxes = stages.map((stage, index) => {
    const w = Math.min(230 * unit, step - 30 * unit);
    return { x: from + (index + 0.5) * step - w / 2, y: stage.branch ? top + 30 * unit : y - 40 * unit, w, h: 80 * unit };
  });
  const at = boxes.map((box, index) => [stages[index].branch ? box.x + box.w + 10 * unit : box.x + box.w, y]);
  return { start: [24 * unit, y], end: [L.width - 30 * unit, y], boxes, at };
}

function drawBlock(view, seconds, leaving) {
  const { pen, numbers: N } = view;
  const plan = blockPlan(view);
  drawJoining(view, seconds, leaving, plan);
  if (leaving || !N.block.length) return;
  pen.faded(part(seconds, 1.8, 2.6), () => drawStages(view, seconds, plan));
  drawWayThrough(view, seconds, plan);
}

/** The maps become the parts of one vector; of the chosen head its numbers are known here, and its part shows them. */
function drawJoining(view, seconds, leaving, plan) {
  const { pen, numbers: N, images: I, theme, texts, layout: L, word } = view;
  const grid = headGrid(view);
  const own = ownHead(view);
  N.heads.forEach((head, index) => {
    const joined = inTurn(seconds, 0.1, 1.7, index, N.heads.length, 1);
    const box = mixBox(grid[index], joinedPart(view, index), joined);
    pen.faded(1 - part(joined, 0.4, 0.9), () => drawMap(view, I.maps[index], box));
    pen.faded(part(joined, 0.4, 0.9), () => {
      pen.fill(box, view.faint);
      if (index === own && N.outputs) drawRowAcross(view, N.row(N.outputs, word), box);
      pen.frame(box, index === own ? theme.accent : theme.line, index === own ? 2 : 1);
      if (!(index === own && N.outputs)) pen.write(head.name, box.x + box.w / 2, box.y + box.h / 2, { size: 12 * pen.unit, room: box.w - 4, least: 7 });
    });
  });
  pen.faded(leaving ? 1 : part(seconds, 1.4, 2), () => {
    const box = joinedBox(view);
    if (!L.narrow) nameOfRow(view, texts.joined, box.y + box.h / 2, [0, 0]);
    const first = plan.boxes[N.block.findIndex((stage) => stage.adds)];
    if (first) pen.arrow([first.x + first.w / 2, box.y + box.h + 2], [first.x + first.w / 2, first.y - 3], theme.accent, 1.6);
  });
}

/** A few numbers as colours from left to right, whichever way strips run otherwise. */
function drawRowAcross(view, values, box) {
  const { pen, images: I } = view;
  const w = box.w / values.length;
  values.forEach((value, index) => pen.fill({ x: box.x + index * w, y: box.y, w: w + 0.5, h: box.h }, cssColour(I.signed, signedIndex(value, I.largest.values))));
}

/** Seconds at which the word comes to a stage. */
function stageTime(view, index) {
  return 2.8 + (index * 5.4) / Math.max(1, view.numbers.block.length);
}

function drawStages(view, seconds, plan) {
  const { pen, numbers: N, theme, layout: L, texts, word } = view;
  const unit = pen.unit;
  const { start, end } = plan;
  pen.arrow(start, end, theme.text, 2);
  N.block.forEach((stage, index) => {
    const reached = moved(seconds, stageTime(view, index), stageTime(view, index) + 0.9);
    if (stage.branch) drawBranch(view, stage, index, plan, reached);
    drawStage(view, stage, plan.boxes[index], reached);
  });
  const named = L.narrow ? [start[0] + 18 * unit, start[1] + 2 * unit] : [start[0] - 18 * unit, start[1] + 26 * unit];
  pen.write(N.labels[word], ...named, { align: "left", bold: true, size: 14 * unit, colour: theme.accent, room: 130 * unit });
  pen.faded(part(seconds, 3.2, 4), () => {
    const [x, y] = L.narrow ? [L.width - 12, start[1] + 2 * unit] : [end[0], end[1] + 58 * unit];
    pen.write(`▬ ${texts.length}`, x, y, { align: "right", size: 13 * unit, colour: view.quiet });
  });
}

/** The way off the line into a box, on to the next one or back to the line, where its result is added. */
function drawBranch(view, stage, index, { start, boxes, at }, reached) {
  const { pen, theme, layout: L, word } = view;
  const unit = pen.unit;
  const box = boxes[index];
  const [x, y] = at[index];
  const inside = box.x + box.w / 4; // of a narrow picture: where the way enters and leaves
  if (stage.begins) {
    pen.line(L.narrow ? [[start[0], box.y - 8 * unit], [inside, box.y - 8 * unit], [inside, box.y]]
      : [[box.x - 10 * unit, y], [box.x - 10 * unit, box.y + box.h / 2], [box.x, box.y + box.h / 2]], theme.text, 1.5);
  }
  if (!stage.ends) {
    const next = boxes[index + 1];
    if (next) pen.line(L.narrow ? [[inside, box.y + box.h], [inside, next.y]] : [[box.x + box.w, box.y + box.h / 2], [next.x, box.y + box.h / 2]], theme.text, 1.5);
    return;
  }
  const back = L.narrow ? [[inside, box.y + box.h], [inside, y], [x + 9 * unit, y]]
    : [[box.x + box.w, box.y + box.h / 2], [x, box.y + box.h / 2], [x, y - 9 * unit]];
  pen.line(back.slice(0, 2), theme.text, 1.5);
  pen.arrow(back[1], back[2], theme.text, 1.5);
  pen.round({ x: x - 9 * unit, y: y - 9 * unit, w: 18 * unit, h: 18 * unit }, 9 * unit, { fill: theme.background, line: theme.text, thick: 1.5 });
  pen.write("+", x, y + 0.5, { size: 16 * unit });
  if (!stage.after) return;
  const told = L.narrow ? [inside + 8 * unit, y, "left"] : [x + 8 * unit, y + 24 * unit, "right"];
  pen.faded(part(reached, 0.6, 1), () => pen.write(signedNumber(stage.after[word]), told[0], told[1], { align: told[2], size: 13 * unit }));
}

/** The box of a stage with the length of what comes out of it. */
function drawStage(view, stage, box, reached) {
  const { pen, theme, numbers: N, layout: L, word } = view;
  const unit = pen.unit;
  const small = box.h < 50 * unit;
  pen.round(box, 8, { fill: theme.background, line: reached > 0 ? theme.accent : theme.line, thick: reached > 0 ? 2 : 1.2 });
  pen.writeLines(stage.name, box.x + box.w / 2, box.y + (small ? 11 : 17) * unit, box.w - 12, { size: 13.5 * unit, most: L.narrow || small ? 1 : 2 });
  if (!stage.lengths) return;
  const bar = { x: box.x + 12 * unit, y: box.y + box.h - (small ? 12 : 20) * unit, w: box.w - 78 * unit, h: 9 * unit };
  pen.fill(bar, view.faint);
  pen.fill({ ...bar, w: (bar.w * reached * stage.lengths[word]) / N.longest(word) }, theme.accent);
  pen.faded(part(reached, 0.5, 1), () => pen.write(signedNumber(stage.lengths[word]), box.x + box.w - 10 * unit, bar.y + bar.h / 2, { align: "right", size: 13 * unit, bold: true }));
}

/** A small strip that goes along the line, into each box and out again. */
function drawWayThrough(view, seconds, { start, end, boxes, at }) {
  const { pen, numbers: N, theme, layout: L } = view;
  if (seconds < 2.4) return;
  const stops = [[2.4, start]];
  N.block.forEach((stage, index) => {
    const time = stageTime(view, index);
    const box = boxes[index];
    if (stage.branch) {
      const [x, y] = at[index];
      stops.push([time, L.narrow ? [box.x + box.w / 4, box.y] : [box.x, box.y + box.h / 2]]);
      stops.push([time + 0.9, L.narrow ? [box.x + box.w / 4, box.y + box.h] : [box.x + box.w, box.y + box.h / 2]]);
      if (stage.ends) stops.push([time + 1.15, [x, y]]);
    } else stops.push([time, L.narrow ? [start[0], box.y] : [box.x, start[1]]], [time + 0.9, L.narrow ? [start[0], box.y + box.h] : [box.x + box.w, start[1]]]);
  });
  stops.push([8.8, end]);
  let index = 0;
  while (index < stops.length - 2 && seconds > stops[index + 1][0]) index++;
  const [[from, one], [to, other]] = [stops[index], stops[index + 1]];
  const share = moved(seconds, from, to);
  const [x, y] = [0, 1].map((axis) => mix(one[axis], other[axis], share));
  pen.round({ x: x - 7 * pen.unit, y: y - 7 * pen.unit, w: 14 * pen.unit, h: 14 * pen.unit }, 7 * pen.unit, { fill: theme.accent, line: theme.background, thick: 2 });
}

// 9: the way through the layers ---------------------------------------------------------------------------------------

/** One floor for each layer, the embedding at the bottom. */
function floorBox(view, layer) {
  const { layout: L, pen, numbers: N } = view;
  const floors = N.data.journey.layers.length;
  const top = L.topEnd + 34 * pen.unit;
  const bottom = L.narrow ? top + Math.min(floors * 30, 190) * pen.unit : L.height - 8;
  const height = Math.min(54 * pen.unit, (bottom - top) / floors);
  return { x: 4, y: bottom - (layer + 1) * height, w: L.narrow ? L.width - 8 : Math.min(430 * pen.unit, L.width * 0.42), h: height - Math.min(6, height * 0.15) };
}

/** The frame of the plane, and where in it a token is at a layer that may lie between two. */
function planePoint(view, layer, token) {
  const { layout: L, pen, numbers: N } = view;
  if (view.planeOf !== N) {
    const [x, y] = [0, 1].map((axis) => N.plane.filter((_, index) => index % 2 === axis));
    view.spread = [x, y].map((values) => [Math.min(...values), Math.max(...values)]);
    view.planeOf = N;
  }
  const frame = planeBox(view);
  const low = Math.floor(layer);
  const high = Math.min(N.data.journey.layers.length - 1, low + 1);
  return [0, 1].map((axis) => {
    const value = (at) => N.plane[(at * N.count + token) * 2 + axis];
    const [least, most] = view.spread[axis];
    const share = (mix(value(low), value(high), layer - low) - least) / (most - least || 1);
    const inset = axis ? 20 * pen.unit : 44 * pen.unit;
    return axis ? frame.y + frame.h - inset - share * (frame.h - 2 * inset) : frame.x + inset + share * (frame.w - 2 * inset);
  });
}

function planeBox(view) {
  const { layout: L, pen } = view;
  const floor = floorBox(view, 0);
  if (L.narrow) {
    const y = floor.y + floor.h + 12 * pen.unit;
    return { x: 4, y, w: L.width - 8, h: L.height - y - 34 * pen.unit };
  }
  const x = floor.x + floor.w + 24 * pen.unit;
  const y = L.topEnd + 10 * pen.unit;
  return { x, y, w: L.width - x - 4, h: L.height - y - 34 * pen.unit };
}

function layerAt(view, seconds) {
  const last = view.numbers.data.journey.layers.length - 1;
  const each = 6.6 / Math.max(1, last);
  let layer = 0;
  for (let index = 0; index < last; index++) layer += moved(seconds, 1.6 + index * each, 1.6 + (index + 0.75) * each);
  return layer;
}

function drawJourney(view, seconds, leaving) {
  const { pen, numbers: N, theme, layout: L, word, texts } = view;
  if (!N.data.journey) return;
  const layer = layerAt(view, seconds);
  const { layers, other } = N.data.journey;
  if (seconds < 1.2 && !leaving) shrinkBlock(view, seconds);
  pen.faded(leaving ? 1 : part(seconds, 0.7, 1.3), () => {
    layers.forEach((name, index) => drawFloor(view, index, name, leaving ? 1 : limit(layer - index + 1)));
    pen.frame(planeBox(view), theme.line);
    drawNamesOfFloors(view);
  });
  if (leaving) return;
  const trail = [];
  for (let step = 0; step <= 40; step++) trail.push(planePoint(view, (layer * step) / 40, word));
  pen.faded(part(seconds, 1.2, 1.6), () => {
    N.labels.forEach((label, token) => token !== word && drawPoint(view, token, planePoint(view, layer, token)));
    pen.faded(0.6, () => pen.line(trail, theme.accent, 2.5));
    for (let index = 0; index < layer; index++) {
      const [x, y] = planePoint(view, index, word);
      pen.round({ x: x - 3, y: y - 3, w: 6, h: 6 }, 3, { fill: theme.background, line: theme.accent, thick: 1.5 });
    }
    drawPoint(view, word, planePoint(view, layer, word));
  });
  if (other && word === other.token) {
    pen.faded(part(seconds, 2, 3), () => {
      const frame = planeBox(view);
      const now = other.similarity[Math.round(layer)];
      pen.write(`${texts.other}: ${other.sentence} ${texts.similar} ${signedNumber(other.similarity[0])} → ${signedNumber(now)}`, frame.x + frame.w / 2, frame.y + frame.h + 16 * pen.unit, { size: 13 * pen.unit, room: frame.w });
    });
  }
}

/** The whole block becomes the first of several floors. */
function shrinkBlock(view, seconds) {
  const { pen, layout: L } = view;
  if (!view.numbers.block.length) return;
  const share = moved(seconds, 0, 1.1);
  const all = { x: 0, y: L.topEnd, w: L.width, h: L.height - L.topEnd };
  const box = mixBox(all, floorBox(view, Math.min(1, view.numbers.data.journey.layers.length - 1)), share);
  const { context } = pen;
  pen.faded(1 - share ** 2, () => {
    context.save();
    context.translate(box.x, box.y);
    context.scale(box.w / all.w, box.h / all.h);
    context.translate(-all.x, -all.y);
    drawStages(view, SCENE_SECONDS[7], blockPlan(view));
    context.restore();
    pen.frame(box, view.theme.accent, 1.5);
  });
}

function drawFloor(view, layer, name, reached) {
  const { pen, numbers: N, theme, word, layout: L, images: I } = view;
  const box = floorBox(view, layer);
  const lit = reached >= 1;
  pen.round(box, 5, { line: lit ? theme.accent : theme.line, fill: lit ? view.tint : theme.background, thick: lit ? 1.5 : 1 });
  if (box.h < 9) return;
  const size = Math.min(14 * pen.unit, box.h * 0.72);
  const y = box.y + box.h / 2 + 0.5;
  const names = Math.max(...N.data.journey.layers.map((one) => pen.width(one, size, true))) + 28;
  pen.write(name, box.x + 10, y, { align: "left", size, room: names - 12, bold: lit });
  const near = N.nearest(word, layer);
  if (!near) return;
  pen.faded(reached, () => {
    const shown = L.narrow ? near.slice(0, 2) : near;
    const room = (box.w - names - 8) / shown.length;
    shown.forEach(([label, similarity], index) => {
      const x = box.x + names + index * room;
      const told = signedNumber(similarity);
      const wide = pen.width(told, size * 0.85) + 8 * pen.unit;
      pen.write(label, x, y, { align: "left", size, room: room - wide - 12, bold: index === 0 });
      const end = Math.min(pen.width(label, size, index === 0), room - wide - 12);
      pen.write(told, x + end + 6 * pen.unit, y, { align: "left", size: size * 0.85, colour: view.quiet });
    });
  });
}

function drawNamesOfFloors(view) {
  const { pen, numbers: N, texts } = view;
  const top = floorBox(view, N.data.journey.layers.length - 1);
  const style = { size: 13 * pen.unit, align: "left", colour: view.quiet };
  pen.write(`${N.labels[view.word]}: ${texts.nearest}`, top.x + 2, top.y - 12 * pen.unit, { ...style, room: top.w });
}

function drawPoint(view, token, [x, y]) {
  const { pen, numbers: N, theme, word } = view;
  const own = token === word;
  const radius = (own ? 6 : 4) * pen.unit;
  pen.round({ x: x - radius, y: y - radius, w: 2 * radius, h: 2 * radius }, radius, { fill: own ? theme.accent : view.quiet });
  const size = (own ? 15 : 12) * pen.unit;
  const frame = planeBox(view);
  const left = x + radius + 5 + pen.width(N.labels[token], size, own) > frame.x + frame.w;
  pen.faded(own ? 1 : 0.8, () => pen.write(N.labels[token], x + (left ? -radius - 4 : radius + 4), y, { align: left ? "right" : "left", size, bold: own, colour: own ? theme.accent : theme.text }));
}
