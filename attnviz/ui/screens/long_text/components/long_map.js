// One head's whole map as one picture, to drag and to zoom down to single tokens. Each region is asked from the server when the
// view comes to rest; until it is there, what is known already is seen larger. How it is drawn is in long_map_drawing.js.

/* global Tip */

const PAUSE_TO_ASK = 160; // ms without a movement
const PATIENCE_TO_ASK = 6000; // ms for an answer before another one is asked for
const WHEEL = 0.0018; // of zoom a CSS pixel of the wheel
const CLICK = 5; // CSS pixels that a pointer may move in a click
const STEP = 0.2; // of what is seen, for a key
const LINK_TOKENS = 24; // around the ends of a link that is gone to

class LongMap extends LongMapDrawing {
  build() {
    this.summary = make("p", "attnviz-long-summary", { role: "status" });
    this.legend = make("div", "attnviz-long-legend", { "aria-hidden": "true" });
    this.canvas = make("canvas", "attnviz-long-canvas", { tabIndex: 0, role: "application" });
    const button = (name, act) => {
      const one = make("button", "attnviz-long-button", { type: "button" });
      one.dataset.act = name;
      one.addEventListener("click", act);
      return one;
    };
    this.buttons = {
      nearer: button("nearer", () => this.zoom(0.5)),
      farther: button("farther", () => this.zoom(2)),
      whole: button("whole", () => this.showWhole()),
    };
    this.where = make("span", "attnviz-long-where");
    this.tip = new Tip();
    this.pointers = new Map();
    this.listen();
    this.frame = make("div", "attnviz-long-frame", {}, [this.canvas]);
    return make("div", "attnviz-long attnviz-figure", {}, [
      this.summary,
      make("div", "attnviz-long-tools", {}, [...Object.values(this.buttons), this.where, this.legend]),
      this.frame,
      this.tip.root,
    ]);
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.pressed(event));
    canvas.addEventListener("pointermove", (event) => this.moved(event));
    for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, (event) => this.released(event));
    canvas.addEventListener("pointerleave", () => this.tip.hide());
    canvas.addEventListener("dblclick", (event) => this.zoom(0.4, this.placeAt(event)));
    canvas.addEventListener("keydown", (event) => this.typed(event));
    canvas.addEventListener("blur", () => this.tip.hide());
    this.listenTo(LONG_TEXT, "axes", () => this.later());
    this.listenTo(LONG_TEXT, "passage", ({ detail }) => this.takePassage(detail));
    this.listenTo(LONG_TEXT, "go", ({ detail }) => this.goTo(detail));
  }

  // What arrives ----------------------------------------------------------------------------------------------------

  receive(before, changed, themeChanged) {
    const { data } = this;
    const sameMap = before?.map === data.map;
    if (!before || before.text !== data.text) {
      this.spans = { queries: new Span(0, data.counts[0], data.counts[0]), keys: new Span(0, data.counts[1], data.counts[1]) };
      this.cell = null;
      this.show(data.region);
    }
    if (!sameMap) this.pictures = new Pictures();
    if (themeChanged || !this.colours) this.colours = { name: this.theme.name, table: lookup(this.theme.scale) };
    this.canvas.setAttribute("aria-label", data.texts.name);
    this.summary.textContent = data.summary;
    for (const [name, button] of Object.entries(this.buttons)) {
      button.textContent = data.texts[name];
      button.setAttribute("aria-label", data.texts[`${name}Name`]);
    }
    this.asked = null;
    const call = (this.call = (this.call ?? 0) + 1);
    this.take(data.pictures).then(() => {
      if (call !== this.call || !this.root.isConnected) return;
      if (!this.pictures.whole) this.ask({ whole: true });
      this.draw();
      this.later();
    });
    this.tellColours();
  }

  async take(pictures) {
    const { pictures: store, data } = this;
    for (const picture of pictures) {
      if (!store.of(picture.region)) store.add(new Picture(picture, await unpack(picture.cells), data.counts));
    }
  }

  async tellColours() {
    const { passages, way } = this.data;
    const numbers = {};
    for (const name of ["lifts", "shares"]) {
      if (!passages[name]) continue;
      const steps = stepValues(passages[name]);
      numbers[name] = Float64Array.from(await unpack(passages[name].cells), (code) => steps[code]);
    }
    LONG_TEXT.colours = { ...passages, ...numbers, way };
    tellOther("colours");
  }

  show([first, stop, keyFirst, keyStop]) {
    const { queries, keys } = this.spans;
    this.spans = { queries: queries.within(first, stop - first), keys: keys.within(keyFirst, keyStop - keyFirst) };
  }

  get region() {
    return [...this.spans.queries.tokens, ...this.spans.keys.tokens];
  }

  /** Has the region that is seen sent, once the view rests. */
  later() {
    cancelAnimationFrame(this.waiting);
    this.waiting = requestAnimationFrame(() => this.draw());
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask({}), PAUSE_TO_ASK);
  }

  /** Asks the server, unless it has nothing to say; with a passage, for what this one looks at. */
  ask({ passage, whole }) {
    const { region, data, pictures } = this;
    const known = pictures.of(region);
    const named = known && (known.queries || region[1] - region[0] > data.named) && (known.keys || region[3] - region[2] > data.named);
    const same = String(region) === String(data.region);
    if (!passage && !whole && known && named && same) return;
    if (!passage && this.asked && performance.now() - this.asked < PATIENCE_TO_ASK) return;
    this.asked = performance.now();
    this.trigger("want", { region, passage: passage ?? null, whole: Boolean(whole), known: Boolean(known) });
  }

  // What is done ----------------------------------------------------------------------------------------------------

  /** The tokens at a point of the window; null outside the map. */
  placeAt({ clientX, clientY }, within = true) {
    const { left, top } = this.canvas.getBoundingClientRect();
    const [x, y] = [(clientX - left - this.box.left) / this.box.side, (clientY - top - this.box.top) / this.box.height];
    if (within && (x < 0 || y < 0 || x >= 1 || y >= 1)) return null;
    const { queries, keys } = this.spans;
    return { query: queries.first + y * queries.length, key: keys.first + x * keys.length };
  }

  zoom(factor, place = null) {
    const { queries, keys } = this.spans;
    const at = place ?? this.middle();
    this.spans = { queries: queries.zoomed(factor, at.query), keys: keys.zoomed(factor, at.key) };
    this.tip.hide();
    this.later();
  }

  takePassage(detail) {
    this.passageIsLast = detail.index !== null;
    this.ask({ passage: detail });
  }

  takeCell(cell) {
    this.passageIsLast = false;
    this.cell = cell;
  }

  /** What was chosen last of what is seen, a cell that is marked or a passage, else the middle of what is seen. */
  middle() {
    const { queries, keys } = this.spans;
    const chosen = [this.middleOfCell(), this.middleOfPassage()];
    if (this.passageIsLast) chosen.reverse();
    const middle = { query: queries.first + queries.length / 2, key: keys.first + keys.length / 2 };
    return { ...middle, ...chosen.find(Boolean) };
  }

  /** Of the cell that is marked; null where there is none or it is not seen. */
  middleOfCell() {
    if (!this.cell) return null;
    const [query, key] = [this.cell.queries, this.cell.keys].map(([start, stop]) => (start + stop) / 2);
    return this.spans.queries.has(this.cell.queries[0]) && this.spans.keys.has(this.cell.keys[0]) ? { query, key } : null;
  }

  /** Of the passage that is chosen, on its axis, and on the other where it is the same text; null as above. */
  middleOfPassage() {
    const { axes } = LONG_TEXT;
    const { passage, received } = this.data.passages;
    const own = received ? "keys" : "queries";
    const chosen = axes?.[own]?.passages[passage];
    if (!chosen) return null;
    const at = (chosen.start + chosen.stop) / 2;
    const isOf = (name) => (name === own || axes.queries === axes.keys) && this.spans[name].has(at);
    const found = { ...(isOf("queries") && { query: at }), ...(isOf("keys") && { key: at }) };
    return Object.keys(found).length ? found : null;
  }

  showWhole() {
    const [queries, keys] = this.data.counts;
    this.show([0, queries, 0, keys]);
    this.later();
  }

  /** Goes to a link: its two tokens with what stands around them. */
  goTo({ query, key }) {
    const { queries, keys } = this.spans;
    this.spans = { queries: queries.around(query + 0.5, LINK_TOKENS), keys: keys.around(key + 0.5, LINK_TOKENS) };
    this.takeCell({ queries: [query, query + 1], keys: [key, key + 1] });
    tellOther("marks", { ...this.cell, scroll: true });
    this.later();
    this.root.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  wheeled(event) {
    const place = this.placeAt(event);
    if (!place || (event.deltaY > 0 && this.isWhole)) return; // the page scrolls on
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1) * (event.ctrlKey ? 4 : 1);
    this.zoom(Math.exp(Math.max(-600, Math.min(600, pixels)) * WHEEL), place);
  }

  pressed(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    this.canvas.setPointerCapture?.(event.pointerId);
    this.pointers.set(event.pointerId, event);
    this.inCorner = Boolean(this.corner && event.clientX - left < this.box.left - 8 && event.clientY - top < this.box.top - 8);
    if (this.inCorner) this.moveCorner(event);
    if (this.pointers.size === 1) this.began = { x: event.clientX, y: event.clientY, spans: this.spans, moved: false, place: this.placeAt(event) };
    else this.began = { ...this.pinch(), spans: this.spans, moved: true };
  }

  /** Two fingers: how far apart, and the place between them. */
  pinch() {
    const [one, other] = [...this.pointers.values()];
    const middle = { clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2 };
    return { apart: Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY), between: this.placeAt(middle, false) };
  }

  moveCorner(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    const { queries, keys } = this.spans;
    const share = (value, room) => Math.max(0, Math.min(1, value / room));
    this.spans = {
      queries: queries.around(share(event.clientY - top - this.corner.top, this.corner.height) * queries.count, queries.length),
      keys: keys.around(share(event.clientX - left - this.corner.left, this.corner.side) * keys.count, keys.length),
    };
    this.later();
  }

  moved(event) {
    if (!this.box) return;
    if (!this.pointers.has(event.pointerId)) {
      this.point(event);
      return;
    }
    this.pointers.set(event.pointerId, event);
    if (this.inCorner) {
      if (this.corner) this.moveCorner(event);
    } else if (this.pointers.size === 2) {
      const { apart } = this.pinch();
      const { queries, keys } = this.began.spans;
      const factor = this.began.apart / Math.max(apart, 1);
      this.spans = { queries: queries.zoomed(factor, this.began.between.query), keys: keys.zoomed(factor, this.began.between.key) };
      this.later();
    } else if (this.began) {
      const [x, y] = [event.clientX - this.began.x, event.clientY - this.began.y];
      if (Math.hypot(x, y) > CLICK) this.began.moved = true;
      if (!this.began.moved) return;
      const { queries, keys } = this.began.spans;
      this.spans = { queries: queries.moved((-y / this.box.height) * queries.length), keys: keys.moved((-x / this.box.side) * keys.length) };
      this.tip.hide();
      this.later();
    }
  }

  released(event) {
    this.pointers.delete(event.pointerId);
    if (this.pointers.size) {
      const [left] = this.pointers.values();
      this.began = { x: left.clientX, y: left.clientY, spans: this.spans, moved: true };
      return;
    }
    if (event.type === "pointerup" && this.began && !this.began.moved && !this.inCorner && this.began.place) this.mark(this.began.place);
    this.began = null;
    this.inCorner = false;
  }

  /** Marks a cell: its two passages are marked in the text, which comes to them. */
  mark({ query, key }) {
    const picture = this.pictures.at(query, key);
    if (!picture) return;
    const { queries, keys } = picture.cellAt(query, key);
    this.takeCell({ queries, keys });
    tellOther("marks", { queries, keys, scroll: true });
    this.later();
  }

  point(event) {
    const place = this.placeAt(event);
    if (!place) return this.tip.hide();
    this.tellOf(place);
    this.tip.moveTo(event.clientX, event.clientY);
    return undefined;
  }

  /** What a cell says, in words. */
  tellOf({ query, key }) {
    const cell = this.pictures.at(query, key)?.cellAt(query, key);
    if (!cell) return this.tip.hide();
    const { texts, way } = this.data;
    const value = way === "lift" ? fill(texts.even, short(cell.value)) : fill(texts.ofAll, short(100 * cell.value));
    const names = [["queries", cell.queries], ["keys", cell.keys]].map(([name, range]) => this.nameOf(name, range));
    this.tip.say(value, fill(texts.looks, ...names));
    return undefined;
  }

  /** What stands at a range of tokens: the token, or the first words of the passage. */
  nameOf(name, [start, stop]) {
    const exact = this.pictures.of(this.region);
    const [offset] = name === "queries" ? this.region : this.region.slice(2);
    const label = stop - start === 1 ? exact?.[name]?.[start - offset] : null;
    if (label) return label;
    const passage = LONG_TEXT.axes?.[name]?.passages.find((one) => one.stop > start);
    return passage ? passage.label : `${start}`;
  }

  typed(event) {
    const { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const zoom = { "+": 0.5, "=": 0.5, "-": 2, "−": 2 }[key];
    if (zoom) this.zoom(zoom);
    else if (key === "0" || key === "Home") this.showWhole();
    else if (key === "Enter" || key === " ") this.mark(this.middle());
    else if (event.shiftKey && key.startsWith("Arrow")) this.pan(key);
    else if (key.startsWith("Arrow")) this.moveCell(key);
    else if (key === "Escape") this.cell = null, this.tip.hide(), tellOther("marks", {}), this.later();
    else return;
    event.preventDefault();
  }

  pan(key) {
    const { queries, keys } = this.spans;
    const step = { ArrowUp: -STEP, ArrowLeft: -STEP, ArrowDown: STEP, ArrowRight: STEP }[key];
    const upright = key === "ArrowUp" || key === "ArrowDown";
    this.spans = upright
      ? { queries: queries.moved(step * queries.length), keys }
      : { queries, keys: keys.moved(step * keys.length) };
    this.later();
  }

  /** The keyboard's way from cell to cell; the view goes along at its edge. */
  moveCell(key) {
    const { query, key: column } = this.cell ? { query: this.cell.queries[0], key: this.cell.keys[0] } : this.middle();
    const picture = this.pictures.at(query, column);
    if (!picture) return;
    const at = picture.cellAt(query, column);
    const to = { query: at.queries[0], key: at.keys[0] };
    if (this.cell) {
      if (key === "ArrowUp") to.query = at.queries[0] - 1;
      if (key === "ArrowDown") to.query = at.queries[1];
      if (key === "ArrowLeft") to.key = at.keys[0] - 1;
      if (key === "ArrowRight") to.key = at.keys[1];
    }
    to.query = Math.max(0, Math.min(this.data.counts[0] - 1, to.query));
    to.key = Math.max(0, Math.min(this.data.counts[1] - 1, to.key));
    const { queries, keys } = this.spans;
    const beside = (span, value) => (value < span.first ? span.moved(value - span.first) : value >= span.stop ? span.moved(value + 1 - span.stop) : span);
    this.spans = { queries: beside(queries, to.query), keys: beside(keys, to.key) };
    const found = this.pictures.at(to.query, to.key)?.cellAt(to.query, to.key);
    if (!found) return;
    this.takeCell({ queries: found.queries, keys: found.keys });
    this.later();
    this.tellOf(to);
    const { left, top } = this.canvas.getBoundingClientRect();
    this.tip.moveTo(
      left + this.box.left + ((found.keys[1] - this.spans.keys.first) / this.spans.keys.length) * this.box.side,
      top + this.box.top + ((found.queries[1] - this.spans.queries.first) / this.spans.queries.length) * this.box.height,
    );
  }
}

export default mounted(new WeakMap(), (parent) => new LongMap(parent));
