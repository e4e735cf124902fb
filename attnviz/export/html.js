// The exported page: the number under the pointer or the arrow keys, and the numbers as tables.
// All text from the picture reaches the page through textContent; nothing is parsed as HTML.

const picture = JSON.parse(document.getElementById("attnviz-data").textContent);
const { panels, texts } = JSON.parse(document.getElementById("attnviz-shapes").textContent);
const place = document.getElementById("picture");
const tip = document.getElementById("tip");
const svg = place.querySelector("svg");
const lines = picture.style === "lines";
panels.forEach((panel, index) => {
  const data = picture.panels[index];
  panel.weights = decode(data.weights.base64);
  panel.hidden = data.hidden_mass ? decode(data.hidden_mass.base64) : [];
});
let at = null; // {panel, query, key}; with lines one of query and key is null

/** Numbers from base64 of little-endian float32. */
function decode(text) {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => view.getFloat32(4 * index, true));
}

function number(weight) {
  const rounded = weight.toFixed(2);
  const shown = Number(rounded) === 0 && Math.abs(weight) >= 0.0005 ? weight.toFixed(3) : rounded;
  return (Number(shown) === 0 ? "0.00" : shown.replace("-", "−")).replace(".", texts.decimal);
}

function weight(panel, query, key) {
  return panel.weights[query * panel.keys.length + key];
}

// What is looked at ---------------------------------------------------------------------------------------------------

function said({ panel: index, query, key }) {
  const panel = panels[index];
  if (query !== null && key !== null) {
    const share = panel.hidden[query] > 0 ? `\n${texts.hidden} ${number(panel.hidden[query])}` : "";
    return `${panel.queries[query]} → ${panel.keys[key]} ${number(weight(panel, query, key))}${share}`;
  }
  const others = query !== null ? panel.keys : panel.queries;
  const all = others.map((label, other) => [
    query !== null ? weight(panel, query, other) : weight(panel, other, key),
    label,
  ]);
  all.sort((one, two) => Math.abs(two[0]) - Math.abs(one[0]));
  const strongest = all.slice(0, 5).map(([value, label]) => `${label} ${number(value)}`);
  const share = query !== null && panel.hidden[query] > 0 ? `\n${texts.hidden} ${number(panel.hidden[query])}` : "";
  return `${query !== null ? panel.queries[query] : panel.keys[key]}: ${strongest.join(", ")}${share}`;
}

function look(to, event) {
  const same = at && to && at.panel === to.panel && at.query === to.query && at.key === to.key;
  if (!same) {
    at = to;
    mark();
    tip.textContent = to ? said(to) : "";
  }
  tip.hidden = !to;
  if (to) moveTip(event);
}

/** A frame around the cell, or around the row and the column of the words; with lines only those of one word. */
function mark() {
  svg.querySelectorAll(".mark").forEach((element) => element.remove());
  svg.querySelectorAll(".faint").forEach((element) => element.classList.remove("faint"));
  if (!at) return;
  const { x, y, cellWidth, cellHeight } = panels[at.panel];
  if (lines) {
    const group = svg.querySelector(`[data-panel="${at.panel}"]`);
    for (const line of group.querySelectorAll("path[data-query]")) {
      const own = at.query !== null ? line.dataset.query === String(at.query) : line.dataset.key === String(at.key);
      line.classList.toggle("faint", !own);
    }
    return;
  }
  const frame = document.createElementNS(svg.namespaceURI, "rect");
  const box = { x: x + at.key * cellWidth, y: y + at.query * cellHeight, width: cellWidth, height: cellHeight };
  for (const [name, value] of Object.entries(box)) frame.setAttribute(name, value);
  frame.setAttribute("class", "mark");
  svg.append(frame);
}

function moveTip(event) {
  const { x, y, cellWidth, cellHeight, width } = panels[at.panel];
  const box = svg.getBoundingClientRect();
  const scale = box.width / svg.viewBox.baseVal.width;
  const side = lines ? (at.query !== null ? 0 : width) : (at.key + 1) * cellWidth;
  const down = ((lines ? at.query ?? at.key : at.query) + 1) * cellHeight;
  const left = event ? event.clientX : box.left + (x + side) * scale;
  const top = event ? event.clientY : box.top + (y + down) * scale;
  const room = document.documentElement;
  tip.style.left = `${Math.max(4, Math.min(left + 12, room.clientWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${top + 16 + tip.offsetHeight > room.clientHeight ? top - 10 - tip.offsetHeight : top + 14}px`;
}

/** The cell, or with lines the word, at the pointer. */
function under(event) {
  const box = svg.getBoundingClientRect();
  const scale = svg.viewBox.baseVal.width / box.width;
  const [left, top] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  for (const [panel, shape] of panels.entries()) {
    const query = Math.floor((top - shape.y) / shape.cellHeight);
    const across = left - shape.x;
    const inside = (index, labels) => index >= 0 && index < labels.length;
    if (lines) {
      if (across < 0 && across > -shape.left && inside(query, shape.queries)) return { panel, query, key: null };
      if (across > shape.width && across < shape.width + shape.right && inside(query, shape.keys)) {
        return { panel, query: null, key: query };
      }
    } else {
      const key = Math.floor(across / shape.cellWidth);
      if (inside(query, shape.queries) && inside(key, shape.keys)) return { panel, query, key };
    }
  }
  return null;
}

place.addEventListener("pointermove", (event) => look(under(event), event));
place.addEventListener("pointerdown", (event) => look(under(event), event));
place.addEventListener("pointerleave", () => look(null));
place.addEventListener("blur", () => look(null));

// Arrow keys go from cell to cell; with lines up and down among the words of a side. Page keys go to the next panel.
place.addEventListener("keydown", (event) => {
  const step = {
    ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: -1, PageDown: 1,
  }[event.key];
  if (event.key === "Escape") look(null);
  if (!step) return;
  event.preventDefault();
  const limit = (value, count) => Math.max(0, Math.min(count - 1, value));
  if (!at || typeof step === "number") {
    const panel = at ? limit(at.panel + step, panels.length) : panels.findIndex((one) => one.weights.length > 0);
    if (panel >= 0 && panels[panel].weights.length > 0) look({ panel, query: 0, key: lines ? null : 0 });
    return;
  }
  const { panel, query, key } = at;
  const { queries, keys } = panels[panel];
  if (!lines) look({ panel, query: limit(query + step[0], queries.length), key: limit(key + step[1], keys.length) });
  else {
    const toKeys = step[1] > 0 || (step[1] === 0 && query === null);
    const index = limit((query ?? key) + step[0], (toKeys ? keys : queries).length);
    look({ panel, query: toKeys ? null : index, key: toKeys ? index : null });
  }
});

// The numbers as tables, made when somebody opens them ----------------------------------------------------------------

function cell(row, tag, text, scope) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (scope) made.scope = scope;
  row.append(made);
}

function table(panel) {
  const made = document.createElement("table");
  made.createCaption().textContent = texts.caption;
  const head = made.createTHead().insertRow();
  const hidden = panel.hidden.some((share) => share > 0);
  cell(head, "th", "", "col");
  for (const label of panel.keys) cell(head, "th", label, "col");
  if (hidden) cell(head, "th", texts.hidden, "col");
  const body = made.createTBody();
  panel.queries.forEach((label, query) => {
    const row = body.insertRow();
    cell(row, "th", label, "row");
    panel.keys.forEach((_, key) => cell(row, "td", number(weight(panel, query, key))));
    if (hidden) cell(row, "td", number(panel.hidden[query]));
  });
  return made;
}

for (const [index, details] of document.querySelectorAll("details").entries()) {
  details.addEventListener("toggle", () => {
    const room = details.querySelector(".table");
    if (details.open && !room.firstChild) room.append(table(panels[index]));
  });
}
