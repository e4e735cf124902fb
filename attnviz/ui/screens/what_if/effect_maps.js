// The map of the unchanged run, the difference, and the map of the changed run, from left to right; above the maps the
// buckets of hashing, where there are any: tokens of one colour share a bucket.

const EFFECT_ABOVE = 380; // CSS pixels of a laptop's screen that a map leaves to what stands around it
// Okabe and Ito's colours without black, told apart by every eye; of more buckets, colours come again.
const BUCKET_COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];

class EffectMaps extends MapCards {
  build() {
    this.sized = this.grid = make("div", "attnviz-panels-grid", { role: "list" });
    this.startPointing();
    this.cards = [];
    this.summary = make("span", "attnviz-panels-summary");
    this.quantity = make("span", "attnviz-panels-quantity");
    this.high = make("span", "");
    this.ramp = make("span", "attnviz-panels-ramp");
    const zero = make("span", "", { textContent: "0" });
    this.legend = make("span", "attnviz-panels-legend", {}, [this.quantity, zero, this.ramp, this.high]);
    return make("div", "attnviz-panels attnviz-effect-maps attnviz-maps attnviz-figure", {}, [
      make("div", "attnviz-effect-maps-bar", {}, [this.summary, this.legend]),
      this.grid,
      this.tip.root,
    ]);
  }

  receive(_, changed) {
    if (!changed) return;
    const { data, theme } = this;
    this.decode(data.cards);
    this.summary.textContent = data.summary;
    this.quantity.textContent = data.quantity;
    this.high.textContent = data.perHead ? data.texts.ownMax : data.texts.all;
    this.ramp.style.background = `linear-gradient(90deg, ${theme.scale.join(", ")})`;
    while (this.cards.length > data.cards.length) this.cards.pop().root.remove();
    while (this.cards.length < data.cards.length) this.addCard(this.cards.length);
    data.cards.forEach((one, place) => {
      const card = this.cards[place];
      card.root.classList.toggle("attnviz-panel-difference", Boolean(one.signed));
      card.root.dataset.map = one.key;
      card.title.textContent = one.title;
      card.name.setAttribute("aria-label", one.text);
      card.heatmap.canvas.setAttribute("aria-label", one.text);
      card.legend.hidden = !one.signed;
      if (!one.signed) return;
      card.low.textContent = one.low;
      card.high.textContent = one.high;
      card.ramp.style.background = `linear-gradient(90deg, ${theme.signedScale.join(", ")})`;
    });
    this.draw();
    this.values();
  }

  addCard(place) {
    const card = {
      title: make("span", "attnviz-panel-title"), value: make("span", "attnviz-panel-value"), heatmap: new Heatmap(),
      low: make("span", ""), ramp: make("span", "attnviz-panels-ramp"), high: make("span", ""),
    };
    card.name = make("button", "attnviz-panel-name attnviz-panel-name-still", { type: "button" }, [card.title]);
    card.legend = make("div", "attnviz-panels-legend", {}, [card.low, card.ramp, card.high]);
    card.root = make("div", "attnviz-panel", { role: "listitem" }, [
      make("div", "attnviz-panel-bar", {}, [card.name, card.value]),
      card.heatmap.root,
      card.legend,
    ]);
    this.listen(card, () => place);
    this.cards.push(card);
    this.grid.append(card.root);
  }

  view(figure) {
    return this.cards[figure];
  }

  height() {
    return Math.max(220, Math.min(380, window.innerHeight - EFFECT_ABOVE));
  }

  draw() {
    super.draw();
    this.data.cards.forEach((one, place) => one.buckets && this.drawBuckets(this.cards[place].heatmap, one.buckets));
  }

  /** A band at each token in its bucket's colour, and a frame of that colour around each pair that meets. */
  drawBuckets({ canvas, shape, map }, { queries, keys }) {
    if (!shape) return;
    const { left, top, cellWidth, cellHeight } = shape;
    const context = canvas.getContext("2d");
    const colour = (bucket) => BUCKET_COLOURS[bucket % BUCKET_COLOURS.length];
    queries.forEach(([bucket], query) => {
      context.fillStyle = colour(bucket);
      context.fillRect(left - 5, top + query * cellHeight + 1, 4, cellHeight - 2);
    });
    keys.forEach(([bucket], key) => {
      context.fillStyle = colour(bucket);
      context.fillRect(left + key * cellWidth + 1, top - 5, cellWidth - 2, 4);
    });
    if (Math.min(cellWidth, cellHeight) < 8) return;
    context.lineWidth = 2;
    queries.forEach((mine, query) => keys.forEach((theirs, key) => {
      const round = mine.findIndex((bucket, at) => bucket === theirs[at]);
      if (round < 0 || !map.weights[query * keys.length + key]) return;
      context.strokeStyle = colour(mine[round]);
      context.strokeRect(left + key * cellWidth + 2, top + query * cellHeight + 2, cellWidth - 4, cellHeight - 4);
    }));
  }
}

export default mounted(new WeakMap(), (parent) => new EffectMaps(parent));
