// One head as lines: queries at the left, keys at the right, a line from each query to each key, as strong as the weight.
// A word under the pointer or with the focus shows only its lines, and the numbers; a click or Enter keeps it.

const ROWS = [26, 50]; // CSS pixels for each token, at least and at most
const COMFORTABLE = 440; // pixels of height that a short sentence may fill
const LEAST = 1 / 255; // a weaker line would not change one pixel

class Lines extends Figure {
  build() {
    this.hovered = null; // {side: 0 for queries or 1 for keys, index}
    this.pinned = null;
    this.heads = [make("div", "attnviz-lines-head"), make("div", "attnviz-lines-head")];
    this.lists = [0, 1].map((side) => this.list(side));
    this.canvas = make("canvas", "attnviz-lines-canvas", { "aria-hidden": "true" });
    this.middle = make("div", "attnviz-lines-middle", {}, [this.canvas]);
    this.scroll = this.sized = make("div", "attnviz-lines-scroll", {}, [
      make("div", "attnviz-lines-columns", {}, [this.lists[0], this.middle, this.lists[1]]),
    ]);
    this.scroll.addEventListener("scroll", () => this.draw());
    this.note = make("div", "attnviz-lines-note", { "aria-live": "polite" });
    return make("div", "attnviz-lines attnviz-figure", { role: "group" }, [
      make("div", "attnviz-lines-bar", {}, this.heads),
      this.scroll,
      this.note,
    ]);
  }

  receive(before, changed) {
    const { data } = this;
    if (!changed) return;
    this.weights = decode(data.weights);
    this.hidden = data.hidden ? decode(data.hidden) : null;
    if (before?.tokens !== data.tokens) {
      this.hovered = this.pinned = null;
      this.scroll.scrollTop = 0;
    }
    this.write();
    this.show();
  }

  /** Its height counts too. */
  resized() {
    this.draw();
  }

  // The words -------------------------------------------------------------------------------------------------------

  list(side) {
    const list = make("div", `attnviz-lines-list attnviz-lines-side-${side}`, { role: "group" });
    const index = (event) => [...list.children].indexOf(event.target.closest("button"));
    const over = (event) => {
      if (event.pointerType !== "touch" && index(event) >= 0) this.look({ side, index: index(event) });
    };
    list.addEventListener("pointerover", over);
    list.addEventListener("pointerleave", () => this.look(null));
    list.addEventListener("focusin", (event) => {
      if (event.target.matches(":focus-visible")) this.look({ side, index: index(event) });
      this.rove(side, index(event));
    });
    list.addEventListener("focusout", () => this.look(null));
    list.addEventListener("click", (event) => index(event) >= 0 && this.pin({ side, index: index(event) }));
    list.addEventListener("keydown", (event) => this.key(event, side, index(event)));
    return list;
  }

  labels(side) {
    return side === 0 ? this.data.queries : this.data.keys;
  }

  write() {
    const { data } = this;
    this.root.setAttribute("aria-label", data.text);
    const longest = Math.max(1, data.queries.length, data.keys.length);
    this.pitch = Math.min(ROWS[1], Math.max(ROWS[0], Math.floor(COMFORTABLE / longest)));
    this.root.style.setProperty("--attnviz-row", `${this.pitch}px`);
    data.titles.forEach((title, side) => (this.heads[side].textContent = title));
    this.lists.forEach((list, side) => {
      const labels = this.labels(side);
      while (list.children.length > labels.length) list.lastChild.remove();
      while (list.children.length < labels.length) {
        const parts = [make("span", "attnviz-lines-token"), make("span", "attnviz-lines-number")];
        list.append(make("button", "attnviz-lines-word", { type: "button", tabIndex: -1 }, parts));
      }
      list.setAttribute("aria-label", data.titles[side]);
      labels.forEach((label, index) => {
        const button = list.children[index];
        button.firstChild.textContent = label;
        button.title = label;
        button.setAttribute("aria-label", this.spoken(side, index));
      });
      this.rove(side, 0);
    });
  }

  /** "sah: Hund 0.42, Ball 0.31, Der 0.12". */
  spoken(side, index) {
    const weights = this.row(side, index).map((weight, other) => [weight, other]);
    weights.sort((one, two) => two[0] - one[0]);
    const others = this.labels(1 - side);
    const strongest = weights.slice(0, 3).map(([weight, other]) => `${others[other]} ${number(weight)}`);
    return `${this.labels(side)[index]}: ${strongest.join(", ")}`;
  }

  /** The weights of a query to all keys, or of all queries to a key. */
  row(side, index) {
    const { queries, keys } = this.data;
    return side === 0
      ? Array.from(keys, (_, key) => this.weights[index * keys.length + key])
      : Array.from(queries, (_, query) => this.weights[query * keys.length + index]);
  }

  /** One stop for the Tab key in each list; the arrow keys go on from there. */
  rove(side, index) {
    const list = this.lists[side];
    list.querySelectorAll('[tabindex="0"]').forEach((button) => (button.tabIndex = -1));
    if (list.children[index]) list.children[index].tabIndex = 0;
  }

  key(event, side, index) {
    const last = (list) => list.children.length - 1;
    const go = {
      ArrowUp: () => [side, Math.max(0, index - 1)],
      ArrowDown: () => [side, Math.min(last(this.lists[side]), index + 1)],
      ArrowLeft: () => [0, Math.min(last(this.lists[0]), index)],
      ArrowRight: () => [1, Math.min(last(this.lists[1]), index)],
      Home: () => [side, 0],
      End: () => [side, last(this.lists[side])],
    }[event.key];
    if (go) {
      event.preventDefault();
      const [to, target] = go();
      this.lists[to].children[target]?.focus();
    } else if (event.key === "Escape") {
      this.pinned = null;
      this.show();
    }
  }

  look(what) {
    this.hovered = what;
    this.show();
  }

  pin(what) {
    const same = this.pinned?.side === what.side && this.pinned?.index === what.index;
    this.pinned = same ? null : what;
    if (same) this.hovered = null;
    else if (this.data.tellsPins) this.trigger("pin", { ...what, call: Date.now() });
    this.show();
  }

  // What is looked at -----------------------------------------------------------------------------------------------

  show() {
    if (!this.data) return;
    const at = this.hovered ?? this.pinned;
    const numbers = at ? this.row(at.side, at.index) : [];
    this.lists.forEach((list, side) => {
      [...list.children].forEach((button, index) => {
        const chosen = at && at.side === side && at.index === index;
        const weight = at && at.side !== side ? numbers[index] : null;
        button.classList.toggle("attnviz-lines-chosen", Boolean(chosen));
        button.classList.toggle("attnviz-lines-faint", Boolean(at) && !chosen && (weight === null || weight < 0.005));
        const pinned = this.pinned?.side === side && this.pinned?.index === index;
        button.setAttribute("aria-pressed", pinned);
        button.style.setProperty("--attnviz-share", weight === null ? 0 : Math.min(1, weight / this.data.top));
        button.lastChild.textContent = weight === null ? "" : number(weight);
      });
    });
    const share = this.hidden && at?.side === 0 ? this.hidden[at.index] : 0;
    this.note.textContent = share > 0 ? fill(this.data.texts.hidden, number(share)) : this.data.texts.note;
    this.draw();
  }

  draw() {
    if (!this.data) return;
    const ratio = window.devicePixelRatio || 1;
    const width = this.middle.clientWidth;
    const height = this.scroll.clientHeight;
    if (!width || !height) return;
    this.canvas.style.width = `${width}px`;
    const context = openCanvas(this.canvas, width, height, ratio);
    // The canvas stays where the screen is; only what is seen of a long sentence is drawn.
    context.setTransform(ratio, 0, 0, ratio, 0, -this.scroll.scrollTop * ratio);
    context.strokeStyle = this.theme.accent;
    context.lineCap = "round";
    const at = this.hovered ?? this.pinned;
    const { queries, keys, top } = this.data;
    const from = (at?.side === 0) ? [at.index] : queries.keys();
    const middle = width / 2;
    for (const query of from) {
      const start = (query + 0.5) * this.pitch;
      const to = (at?.side === 1) ? [at.index] : keys.keys();
      for (const key of to) {
        const share = Math.min(1, this.weights[query * keys.length + key] / top);
        if (share < LEAST) continue;
        const end = (key + 0.5) * this.pitch;
        context.globalAlpha = share;
        context.lineWidth = at ? 1 + 3 * share : 2;
        context.beginPath();
        context.moveTo(0, start);
        context.bezierCurveTo(middle, start, middle, end, width, end);
        context.stroke();
      }
    }
    context.globalAlpha = 1;
  }
}

export default mounted(new WeakMap(), (parent) => new Lines(parent));
