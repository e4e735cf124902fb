// How the map is drawn on its canvas: pictures, axes, what is marked, the whole map in the corner, and the legend.
//
// Whoever extends it has `spans` (what is seen of queries and keys), `pictures`, `colours` and `cell` (what is marked).

class LongMapDrawing extends Figure {
  draw() {
    if (!this.data || !this.spans) return;
    const { theme } = this;
    const width = (this.drawnWidth = this.root.clientWidth);
    if (!width) return;
    const narrow = width < 480;
    const gutter = narrow ? 92 : 164;
    const head = narrow ? 88 : 118;
    const right = narrow ? 8 : 34;
    const side = Math.max(120, Math.min(width - gutter - right, 640, Math.max(280, window.innerHeight - 260)));
    const height = side;
    this.box = { left: gutter, top: head, side, height, gutter, head, right: gutter + side + right };
    const ratio = window.devicePixelRatio || 1;
    this.canvas.style.width = `${gutter + side + right}px`;
    const context = openCanvas(this.canvas, gutter + side + right, head + height + 8, ratio);
    context.fillStyle = theme.background;
    context.fillRect(0, 0, gutter + side + right, head + height + 8);
    this.top = this.currentTop();
    this.drawPictures(context, this.box, this.spans);
    frameMap(context, theme, { left: gutter, top: head, width: side, height, ratio });
    const exact = this.pictures.of(this.region);
    const labels = (name, first) => (exact?.[name] ? { first, labels: exact[name] } : null);
    const axes = LONG_TEXT.axes ?? {};
    drawAxes(context, theme, {
      box: this.box, spans: this.spans, axes: { queries: axes.queries, keys: axes.keys },
      tokens: { queries: labels("queries", this.region[0]), keys: labels("keys", this.region[2]) },
    });
    this.drawCell(context);
    this.drawOverview(context);
    this.drawLegend();
    this.say();
    this.frame.style.touchAction = this.canvas.style.touchAction = this.isWhole ? "pan-y" : "none";
    this.root.dataset.counts = this.data.counts.join(" × ");
    this.root.dataset.region = this.region.join(",");
    this.root.dataset.drawn = exact ? this.region.join(",") : "";
    LONG_TEXT.view = { queries: this.region.slice(0, 2), keys: this.region.slice(2), isWhole: this.isWhole };
    tellOther("view");
  }

  get isWhole() {
    return this.spans.queries.isWhole && this.spans.keys.isWhole;
  }

  /** Where the scale ends: by the finest picture that holds all that is seen. */
  currentTop() {
    const { queries, keys } = this.spans;
    const over = this.pictures.over(queries, keys);
    const all = over.filter(({ region: [first, stop, keyFirst, keyStop] }) =>
      first <= queries.first + 1 && stop >= queries.stop - 1 && keyFirst <= keys.first + 1 && keyStop >= keys.stop - 1);
    const finest = all.at(-1) ?? over.at(-1);
    return finest ? scaleTop(finest.valuesIn(queries, keys), this.data.way) : 1;
  }

  drawPictures(context, box, { queries, keys }) {
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.side, box.height);
    context.clip();
    context.fillStyle = this.theme.scale[0];
    context.fillRect(box.left, box.top, box.side, box.height);
    const [across, down] = [box.side / keys.length, box.height / queries.length];
    for (const picture of this.pictures.over(queries, keys)) {
      const [first, stop, keyFirst, keyStop] = picture.region;
      const [width, height] = [(keyStop - keyFirst) * across, (stop - first) * down];
      context.imageSmoothingEnabled = width / picture.columns < 1;
      context.imageSmoothingQuality = "high";
      const image = picture.image(this.colours, this.data.way, this.top);
      context.drawImage(image, box.left + (keyFirst - keys.first) * across, box.top + (first - queries.first) * down, width, height);
    }
    context.restore();
  }

  /** Two lines around what was clicked, or the keyboard is at: its row and its column. */
  drawCell(context) {
    if (!this.cell) return;
    const { box, spans: { queries, keys }, theme } = this;
    const [across, down] = [box.side / keys.length, box.height / queries.length];
    const from = ([start, stop], span, scale) => [(start - span.first) * scale, Math.max(2, (stop - start) * scale)];
    const [y, height] = from(this.cell.queries, queries, down);
    const [x, width] = from(this.cell.keys, keys, across);
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.side, box.height);
    context.clip();
    context.strokeStyle = theme.accent;
    context.lineWidth = 1;
    context.strokeRect(box.left - 2, box.top + y - 0.5, box.side + 4, height + 1);
    context.strokeRect(box.left + x - 0.5, box.top - 2, width + 1, box.height + 4);
    context.lineWidth = 2;
    context.strokeRect(box.left + x - 1, box.top + y - 1, width + 2, height + 2);
    context.restore();
  }

  /** The whole map in the corner, with a frame around what is seen; only while that is not all of it. */
  drawOverview(context) {
    const size = Math.min(this.box.gutter, this.box.head) - 22;
    this.corner = this.isWhole || !this.pictures.whole ? null : { left: this.box.gutter - size - 12, top: this.box.head - size - 12, side: size, height: size };
    if (!this.corner) return;
    const { queries, keys } = this.spans;
    const { left, top, side, height } = this.corner;
    const { whole } = this.pictures;
    context.imageSmoothingEnabled = true;
    context.drawImage(whole.image(this.colours, this.data.way, this.top), left, top, side, height);
    frameMap(context, this.theme, { left, top, width: side, height, ratio: window.devicePixelRatio || 1 });
    const part = (span, room) => [(span.first / span.count) * room, Math.max(6, (span.length / span.count) * room)];
    const [x, width] = part(keys, side);
    const [y, tall] = part(queries, height);
    context.lineWidth = 3;
    context.strokeStyle = this.theme.background;
    context.strokeRect(left + x, top + y, width, tall);
    context.lineWidth = 1.5;
    context.strokeStyle = this.theme.text;
    context.strokeRect(left + x, top + y, width, tall);
  }

  drawLegend() {
    const { way, texts } = this.data;
    const ramp = make("span", "attnviz-long-ramp");
    ramp.style.background = `linear-gradient(90deg, ${this.theme.scale.join(", ")})`;
    const most = way === "lift" ? fill(texts.times, short(this.top)) : fill(texts.percent, short(100 * this.top));
    const least = way === "lift" ? fill(texts.times, short(FAINTEST)) : fill(texts.percent, "0");
    const even = way === "lift" ? [make("span", "attnviz-long-even", { textContent: "1" })] : [];
    if (even.length) even[0].style.left = `${100 * onScale(1, way, this.top)}%`;
    this.legend.replaceChildren(
      make("span", "", { textContent: texts[way] }),
      make("span", "", { textContent: `≤ ${least}` }),
      make("span", "attnviz-long-scale", {}, [ramp, ...even]),
      make("span", "", { textContent: `≥ ${most}` }),
    );
  }

  /** In words where one is. */
  say() {
    const [first, stop, keyFirst, keyStop] = this.region.map((value, index) => value - (index % 2)).map((value) => value.toLocaleString(document.documentElement.lang || "en"));
    const text = this.isWhole ? this.data.texts.all : fill(this.data.texts.part, first, stop, keyFirst, keyStop);
    if (this.where.textContent !== text) this.where.textContent = text;
    this.buttons.whole.disabled = this.isWhole;
    this.buttons.farther.disabled = this.isWhole;
  }
}
