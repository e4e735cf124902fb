// Heads like one head: the nearest and the farthest as buttons with their divergence, and a map of all heads on which
// near means alike. Every dot is a button; a click puts its head beside the chosen panel.

const MOST_LABELS = 48; // heads whose names all stand on the map; of more, those that are named elsewhere
const MARGIN = [64, 24]; // CSS pixels at the sides and above and below, for the dots' names
const COLOURS = [0.38, 1]; // part of the scale that stands out from the background

class Alike extends Figure {
  build() {
    this.title = make("h3", "attnviz-alike-title");
    this.note = make("p", "attnviz-alike-note");
    this.lists = [0, 1].map(() => make("div", "attnviz-alike-list", { role: "list" }));
    this.heads = [0, 1].map(() => make("div", "attnviz-alike-head"));
    this.plane = this.sized = make("div", "attnviz-alike-plane", { role: "group" });
    this.legend = make("div", "attnviz-alike-legend");
    this.caption = make("p", "attnviz-alike-note");
    this.plane.addEventListener("keydown", (event) => this.key(event));
    return make("div", "attnviz-alike attnviz-figure", {}, [
      make("div", "attnviz-alike-lists", {}, [
        this.title, this.note, this.heads[0], this.lists[0], this.heads[1], this.lists[1],
      ]),
      make("div", "attnviz-alike-map", {}, [this.plane, this.legend, this.caption]),
    ]);
  }

  receive(before, changed, themeChanged) {
    if (before?.positions !== this.data.positions || themeChanged) this.drawDots();
    if (changed) this.write();
  }

  /** Its height counts too. */
  resized() {
    if (this.data) this.label();
  }

  put(head) {
    this.trigger("put", [head.layer, head.head]);
  }

  colour(layer) {
    const [from, to] = COLOURS;
    const at = from + ((to - from) * layer) / Math.max(1, this.data.layers.length - 1);
    const scale = this.theme.scale;
    return scale[Math.round(at * (scale.length - 1))];
  }

  /** The dots, at the positions that the divergences give them. */
  drawDots() {
    const { heads, texts } = this.data;
    const had = this.plane.contains(document.activeElement);
    this.dots = heads.map((head, index) => {
      const dot = make("button", "attnviz-alike-dot", { type: "button", tabIndex: index ? -1 : 0 }, [
        make("span", "attnviz-alike-point"),
        make("span", "attnviz-alike-label", { textContent: head.name }),
      ]);
      dot.firstChild.style.background = this.colour(head.layer);
      dot.addEventListener("click", () => this.put(head));
      return dot;
    });
    this.plane.replaceChildren(...this.dots);
    if (had) this.dots[0]?.focus();
    this.legend.replaceChildren(
      ...this.data.layers.map((number, layer) =>
        make("span", "attnviz-alike-layer", {}, [
          make("span", "attnviz-alike-point", { style: `background:${this.colour(layer)}` }),
          make("span", "", { textContent: fill(texts.layer, number) }),
        ]),
      ),
    );
  }

  write() {
    const { data } = this;
    const { texts } = data;
    this.title.textContent = data.title;
    this.note.textContent = data.note;
    this.note.hidden = !data.note;
    this.caption.textContent = texts.caption;
    this.plane.setAttribute("aria-label", data.text);
    [data.near, data.far].forEach((list, side) => {
      this.heads[side].textContent = list.length ? texts.lists[side] : "";
      this.lists[side].replaceChildren(...list.map((index) => this.entry(data.heads[index])));
    });
    const named = new Set([...data.near, ...data.far]);
    data.heads.forEach((head, index) => {
      const dot = this.dots[index];
      const shown = data.shown[index]; // letters of the panels that show this head
      dot.classList.toggle("attnviz-alike-chosen", index === data.chosen);
      dot.classList.toggle("attnviz-alike-shown", Boolean(shown));
      dot.classList.toggle("attnviz-alike-named", Boolean(shown) || named.has(index));
      dot.lastChild.textContent = shown ? `${head.name} ${shown}` : head.name;
      const far = head.far === null ? "" : `, ${number(head.far)}`;
      dot.setAttribute("aria-label", `${dot.lastChild.textContent}${far}. ${texts.put}`);
      dot.title = `${dot.lastChild.textContent}${far}`;
    });
    this.label();
  }

  entry(head) {
    const bar = make("span", "attnviz-alike-bar", {}, [make("span", "", { style: `width:${100 * head.far}%` })]);
    const button = make("button", "attnviz-alike-entry", { type: "button", title: this.data.texts.put }, [
      make("span", "attnviz-alike-point", { style: `background:${this.colour(head.layer)}` }),
      make("span", "attnviz-alike-name", { textContent: head.name }),
      bar,
      make("span", "attnviz-alike-number", { textContent: number(head.far) }),
    ]);
    button.setAttribute("aria-label", `${head.name}, ${number(head.far)}. ${this.data.texts.put}`);
    button.addEventListener("click", () => this.put(head));
    return make("div", "", { role: "listitem" }, [button]);
  }

  /** One unit of distance is as long across as upwards, and all dots are inside. */
  spread() {
    const { heads } = this.data;
    const [width, height] = [this.plane.clientWidth, this.plane.clientHeight];
    const range = (values) => [Math.min(...values), Math.max(...values)];
    const [left, right] = range(heads.map((head) => head.x));
    const [bottom, top] = range(heads.map((head) => head.y));
    const scale = Math.min((width - 2 * MARGIN[0]) / (right - left || 1), (height - 2 * MARGIN[1]) / (top - bottom || 1));
    this.at = heads.map((head, index) => {
      const x = width / 2 + (head.x - (left + right) / 2) * scale;
      const y = height / 2 - (head.y - (bottom + top) / 2) * scale;
      this.dots[index].style.left = `${x}px`;
      this.dots[index].style.top = `${y}px`;
      return { x, y };
    });
  }

  /** Names stand where they hide neither a dot nor each other; the more telling first, the others on hover and focus. */
  label() {
    const width = this.plane.clientWidth;
    if (!width || !this.dots) return;
    this.spread();
    const { heads } = this.data;
    const box = (x, y, w, h) => ({ left: x, top: y, right: x + w, bottom: y + h });
    const clash = (one, two) =>
      one.left < two.right && two.left < one.right && one.top < two.bottom && two.top < one.bottom;
    const taken = this.at.map(({ x, y }) => box(x - 6, y - 6, 12, 12));
    const order = [...this.dots.keys()].sort((one, two) => this.weight(two) - this.weight(one) || one - two);
    for (const index of order) {
      const dot = this.dots[index];
      const label = dot.lastChild;
      const wanted = heads.length <= MOST_LABELS || this.weight(index) > 0;
      const [w, h] = [label.offsetWidth, label.offsetHeight];
      const { x, y } = this.at[index];
      const sides = { right: box(x + 8, y - h / 2, w, h), left: box(x - 8 - w, y - h / 2, w, h),
        top: box(x - w / 2, y - 8 - h, w, h), bottom: box(x - w / 2, y + 8, w, h) };
      const fits = (one) => one.left >= 0 && one.right <= width && !taken.some((other) => clash(one, other));
      const side = Object.keys(sides).find((name) => fits(sides[name]));
      dot.dataset.side = side ?? (x < width / 2 ? "right" : "left");
      dot.classList.toggle("attnviz-alike-quiet", !wanted || !side);
      if (wanted && side) taken.push(sides[side]);
    }
  }

  weight(index) {
    const classes = this.dots[index].classList;
    return ["chosen", "shown", "named"].reduce((sum, name) => 2 * sum + classes.contains(`attnviz-alike-${name}`), 0);
  }

  /** One stop for the Tab key; an arrow goes to the nearest dot that way. */
  key(event) {
    const way = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    const now = this.dots.indexOf(event.target);
    if (!way || now < 0) return;
    event.preventDefault();
    let best = null;
    this.at.forEach((place, index) => {
      const [x, y] = [place.x - this.at[now].x, place.y - this.at[now].y];
      const along = x * way[0] + y * way[1];
      const aside = Math.abs(x * way[1]) + Math.abs(y * way[0]);
      const far = along + 2 * aside;
      if (index !== now && along > 1e-6 && aside <= 2 * along && (best === null || far < best.far)) best = { index, far };
    });
    if (!best) return;
    this.dots.forEach((dot, index) => (dot.tabIndex = index === best.index ? 0 : -1));
    this.dots[best.index].focus();
  }
}

export default mounted(new WeakMap(), (parent) => new Alike(parent));
