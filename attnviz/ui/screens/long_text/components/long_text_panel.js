// The text beside the map, coloured passage by passage by attention; a click on a passage asks what it looks at.

const DEEPEST = 0.75; // of the scale's colours, behind words

class LongTextPanel extends Figure {
  build() {
    this.head = make("p", "attnviz-long-says", { role: "status" });
    this.ways = make("div", "attnviz-long-ways", { role: "group" });
    this.scale = make("div", "attnviz-long-legend", { "aria-hidden": "true" });
    this.page = make("div", "attnviz-long-page");
    this.chosen = null;
    this.page.addEventListener("click", (event) => this.clicked(event));
    this.page.addEventListener("keydown", (event) => this.typed(event));
    this.tip = new Tip();
    this.page.addEventListener("pointermove", (event) => this.point(event));
    this.page.addEventListener("pointerleave", () => this.tip.hide());
    this.listenTo(LONG_TEXT, "colours", () => this.colour());
    this.listenTo(LONG_TEXT, "view", () => this.showView());
    this.listenTo(LONG_TEXT, "marks", ({ detail }) => this.mark(detail));
    return make("div", "attnviz-long-text attnviz-figure", {}, [this.head, this.ways, this.scale, this.page, this.tip.root]);
  }

  draw() {
    this.drawnWidth = this.root.clientWidth;
  }

  receive(before, changed) {
    this.table = lookup(this.theme.scale);
    if (changed || !before) {
      this.axes = this.data.axes.map((axis) => this.readAxis(axis));
      this.drawText();
      LONG_TEXT.axes = { queries: this.axes[this.data.queries], keys: this.axes[this.data.keys] };
      tellOther("axes");
    }
    this.drawWays();
    this.colour();
    this.showView();
    this.draw();
  }

  /** The passages of a text with the tokens that each has. */
  readAxis({ title, passages }) {
    let position = 0;
    return {
      title,
      passages: passages.map(([text, count, level, opens, special, label], index) => {
        const start = position;
        position += count;
        return { text, start, stop: position, level, opens: Boolean(opens), special: Boolean(special), label, index };
      }),
    };
  }

  // What is seen ----------------------------------------------------------------------------------------------------

  drawText() {
    this.spans = this.axes.map(() => []);
    this.page.replaceChildren(...this.axes.map((axis, number) => {
      const list = make("div", "attnviz-long-passages", { role: "listbox", tabIndex: 0, "aria-label": axis.title });
      list.dataset.axis = number;
      let paragraph = null;
      for (const passage of axis.passages) {
        if (!paragraph || ((passage.opens || passage.level) && passage.stop > passage.start)) {
          const name = passage.level ? "attnviz-long-heading" : "attnviz-long-paragraph";
          paragraph = make("div", name, { role: "group", "aria-label": passage.label });
          list.append(paragraph);
        }
        const name = `attnviz-long-passage${passage.special ? " attnviz-long-special" : ""}`;
        const text = passage.level ? passage.text.trim().replace(/^#+\s*/, "") : passage.text.replace(/^\n+/, "");
        const span = make("span", name, { role: "option", textContent: text, id: `attnviz-long-${number}-${passage.index}`, "aria-selected": "false" });
        span.dataset.index = passage.index;
        paragraph.append(span, passage.text.endsWith(" ") || passage.special ? " " : "");
        this.spans[number].push(span);
      }
      const parts = this.axes.length > 1 ? [make("h4", "attnviz-long-title", { textContent: axis.title })] : [];
      return make("section", "", {}, [...parts, list]);
    }));
  }

  /** Buttons: what the chosen passage looks at, what looks at it, or nothing chosen. */
  drawWays() {
    const { texts } = this.data;
    const { passage, received } = LONG_TEXT.colours ?? {};
    const one = (name, pressed, detail) => {
      const button = make("button", "attnviz-long-button", { type: "button", textContent: texts[name], "aria-pressed": String(pressed) });
      button.addEventListener("click", () => tellOther("passage", detail));
      return button;
    };
    const any = passage !== null && passage !== undefined;
    const { queries, keys } = this.data;
    this.ways.setAttribute("aria-label", texts.ways);
    const focused = [...this.ways.children].indexOf(document.activeElement);
    this.ways.replaceChildren(
      one("all", !any, { index: null }),
      ...(any && queries === keys ? [one("given", !received, { index: passage, received: false }), one("received", Boolean(received), { index: passage, received: true })] : []),
    );
    if (focused >= 0) this.ways.children[Math.min(focused, this.ways.children.length - 1)]?.focus();
  }

  /** The background of each passage, by what the map was told. */
  colour() {
    const { colours } = LONG_TEXT;
    if (!this.axes || !colours?.lifts) return;
    const { passage, received, says, lifts } = colours;
    this.head.textContent = says;
    const number = received && passage !== null ? this.data.queries : this.data.keys;
    const chosenOn = received ? this.data.keys : this.data.queries;
    this.range = this.rangeOf(lifts, number);
    this.spans.forEach((spans, axis) => spans.forEach((span, index) => {
      if (axis === number && index < lifts.length) {
        const step = this.table[Math.round(255 * this.onRange(lifts[index]))];
        const rgb = [step & 255, (step >> 8) & 255, (step >> 16) & 255];
        span.style.background = `rgb(${rgb})`;
        span.style.color = luminance(rgb) > 0.179 ? "#000000" : "#ffffff";
      } else span.style.background = span.style.color = "";
      const selected = passage !== null && axis === chosenOn && index === passage;
      span.classList.toggle("attnviz-long-chosen", selected);
      span.setAttribute("aria-selected", String(selected));
    }));
    this.drawWays();
    const { texts } = this.data;
    const ramp = make("span", "attnviz-long-ramp");
    ramp.style.background = `linear-gradient(90deg, ${this.theme.scale.slice(0, Math.round(DEEPEST * this.theme.scale.length)).join(", ")})`;
    this.scale.replaceChildren(
      make("span", "", { textContent: `≤ ${fill(texts.times, short(this.range[0]))}` }), make("span", "attnviz-long-scale", {}, [ramp]),
      make("span", "", { textContent: `≥ ${fill(texts.times, short(this.range[1]))}` }),
    );
  }

  /** Where the colours begin and end: most passages are between, the model's own tokens left aside. */
  rangeOf(lifts, axis) {
    const { passages } = this.axes[axis];
    const sorted = Array.from(lifts).filter((value, index) => value > 0 && passages[index] && !passages[index].special).sort((one, other) => one - other);
    const at = (share) => sorted[Math.round(share * (sorted.length - 1))] ?? 1;
    const [low, high] = [at(0.05), at(0.97)];
    return high > 1.5 * low ? [low, high] : [high / 1.5, high];
  }

  /** Where a value is between these, in [0, 1]; its colours stay light enough to be told from what is chosen. */
  onRange(value) {
    const [low, high] = this.range;
    if (value <= low) return 0;
    return Math.min(1, Math.log(value / low) / Math.log(high / low)) * DEEPEST;
  }

  /** A line beside the passages that the map shows, where that is not all of them. */
  showView() {
    const { view } = LONG_TEXT;
    if (!this.axes || !view) return;
    for (const [name, range] of [["queries", view.queries], ["keys", view.keys]]) {
      const number = this.data[name];
      this.axes[number].passages.forEach(({ start, stop }, index) => {
        const seen = !view.isWhole && stop > range[0] && start < range[1];
        this.spans[number][index].classList.toggle(`attnviz-long-in-${name}`, seen);
      });
    }
  }

  /** Marks the passages of a cell: those that look and those that are looked at; the text comes to them. */
  mark({ queries, keys, scroll }) {
    if (!this.axes) return;
    const first = {};
    for (const [name, range] of [["queries", queries], ["keys", keys]]) {
      const number = this.data[name];
      this.axes[number].passages.forEach(({ start, stop }, index) => {
        const marked = Boolean(range) && stop > range[0] && start < range[1];
        this.spans[number][index].classList.toggle(`attnviz-long-marked-${name}`, marked);
        if (marked) first[name] ??= this.spans[number][index];
      });
    }
    if (!scroll) return;
    for (const span of [first.keys, first.queries]) if (span) this.scrollTo(span);
  }

  /** Into the middle of the text's own window, and not the page. */
  scrollTo(span) {
    const { page } = this;
    const [box, frame] = [span.getBoundingClientRect(), page.getBoundingClientRect()];
    page.scrollTo({ top: page.scrollTop + box.top - frame.top - page.clientHeight / 3, behavior: "auto" });
  }

  // What is done ----------------------------------------------------------------------------------------------------

  clicked(event) {
    const span = event.target.closest(".attnviz-long-passage");
    if (span) this.choose(span);
  }

  choose(span) {
    const axis = Number(span.closest("[data-axis]").dataset.axis);
    const index = Number(span.dataset.index);
    const { passages } = this.axes[axis];
    if (passages[index].stop <= passages[index].start) return;
    const { queries, keys } = this.data;
    const { passage, received } = LONG_TEXT.colours ?? {};
    const again = passage === index && (queries === keys || axis === (received ? keys : queries));
    const toReceived = queries === keys ? Boolean(received) : axis === keys;
    tellOther("passage", again ? { index: null } : { index, received: toReceived });
  }

  /** The arrow keys go from passage to passage; Enter chooses. */
  typed(event) {
    const list = event.target.closest("[role=listbox]");
    if (!list) return;
    const axis = Number(list.dataset.axis);
    const spans = this.spans[axis];
    const at = spans.findIndex(({ id }) => id === list.getAttribute("aria-activedescendant"));
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step || event.key === "Home" || event.key === "End") {
      const to = step ? Math.max(0, Math.min(spans.length - 1, at + step)) : event.key === "Home" ? 0 : spans.length - 1;
      spans[at]?.classList.remove("attnviz-long-active");
      spans[to].classList.add("attnviz-long-active");
      list.setAttribute("aria-activedescendant", spans[to].id);
      this.scrollTo(spans[to]);
    } else if ((event.key === "Enter" || event.key === " ") && at >= 0) this.choose(spans[at]);
    else if (event.key === "Escape") tellOther("passage", { index: null });
    else return;
    event.preventDefault();
  }

  point(event) {
    const span = event.target.closest(".attnviz-long-passage");
    const { colours } = LONG_TEXT;
    if (!span || !colours?.lifts) return this.tip.hide();
    const number = colours.received && colours.passage !== null ? this.data.queries : this.data.keys;
    if (Number(span.closest("[data-axis]").dataset.axis) !== number) return this.tip.hide();
    const index = Number(span.dataset.index);
    const { texts } = this.data;
    const lift = fill(texts.even, short(colours.lifts[index]));
    const share = colours.shares ? fill(texts.ofAll, short(100 * colours.shares[index])) : "";
    this.tip.say(share ? `${share}\n${lift}` : lift);
    this.tip.moveTo(event.clientX, event.clientY);
    return undefined;
  }
}

export default mounted(new WeakMap(), (parent) => new LongTextPanel(parent));
