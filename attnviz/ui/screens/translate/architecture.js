// The transformer as one drawing: its places of attention are buttons, and the one that is looked at is marked.

const DOT = 4; // CSS pixels of a cell in the little maps, and 1.5 between them

class Architecture extends Figure {
  build() {
    this.drawing = svg("svg", { class: "attnviz-architecture-drawing", role: "group" });
    this.note = make("div", "attnviz-architecture-note");
    return make("div", "attnviz-architecture attnviz-figure", {}, [this.drawing, this.note]);
  }

  receive(before) {
    const { data } = this;
    if (before?.picture !== data.picture) this.draw(data);
    this.note.textContent = data.note;
    this.buttons.forEach((group, kind) => {
      group.classList.toggle("attnviz-architecture-here", kind === data.kind);
      group.setAttribute("aria-pressed", kind === data.kind);
    });
  }

  resized() {} // the browser scales the drawing

  draw(data) {
    const focused = [...(this.buttons ?? [])].find(([, group]) => group === document.activeElement)?.[0];
    this.buttons = new Map();
    const { width, height, frames, lines, sums, blocks, labels } = data.drawing;
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.drawing.style.maxWidth = `${width}px`;
    this.drawing.setAttribute("aria-label", data.text);
    const tip = svg("marker", {
      id: "attnviz-arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto",
      markerUnits: "userSpaceOnUse",
    }, [svg("path", { d: "M0.5 0.8 7.5 4 0.5 7.2Z", class: "attnviz-architecture-tip" })]);
    this.drawing.replaceChildren(
      svg("defs", {}, [tip]),
      ...frames.map((frame) => this.box(frame, "attnviz-architecture-frame", 10)),
      ...lines.map((line) => this.line(line)),
      ...sums.map(([x, y]) => this.sum(x, y)),
      ...blocks.map((block) => this.block(block, data.names)),
      ...labels.map((label) => this.words(label.x, label.y, label.text, label.anchor, "attnviz-architecture-label")),
    );
    if (focused) this.buttons.get(focused)?.focus();
  }

  box({ x, y, width, height }, name, radius) {
    return svg("rect", { x, y, width, height, rx: radius, class: name });
  }

  line({ points, arrow, quiet }) {
    // Corners are rounded: straight until just before a corner, then a curve whose handle is the corner.
    const parts = [`M${points[0].join(" ")}`];
    for (let index = 1; index < points.length - 1; index++) {
      const [before, corner, after] = [points[index - 1], points[index], points[index + 1]];
      const [start, end] = [before, after].map((other) => toward(corner, other, 6));
      parts.push(`L${start.join(" ")}`, `Q${corner.join(" ")} ${end.join(" ")}`);
    }
    parts.push(`L${points.at(-1).join(" ")}`);
    const line = svg("path", { d: parts.join(""), class: `attnviz-architecture-line${quiet ? " attnviz-architecture-quiet" : ""}` });
    if (arrow) line.setAttribute("marker-end", "url(#attnviz-arrow)");
    return line;
  }

  sum(x, y) {
    return svg("g", { class: "attnviz-architecture-sum" }, [
      svg("circle", { cx: x, cy: y, r: 6 }),
      svg("path", { d: `M${x - 3} ${y}h6M${x} ${y - 3}v6` }),
    ]);
  }

  block(block, names) {
    const { x, y, width, height, lines, kind } = block;
    const group = svg("g", { class: "attnviz-architecture-block" });
    group.append(this.box(block, "attnviz-architecture-box", 5));
    const left = kind ? x + 38 : x + width / 2;
    const first = y + height / 2 + 4 - (lines.length - 1) * 7;
    lines.forEach((text, index) => {
      group.append(this.words(left, first + index * 14, text, kind ? "start" : "middle", "attnviz-architecture-text"));
    });
    if (!kind) return group;
    group.append(this.pattern(block.pattern, x + 10, y + height / 2));
    group.classList.add("attnviz-architecture-place");
    group.setAttribute("role", "button");
    group.setAttribute("tabindex", "0");
    group.dataset.kind = kind;
    group.setAttribute("aria-label", names[kind]);
    const go = () => this.trigger("kind", kind);
    group.addEventListener("click", go);
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      go();
    });
    this.buttons.set(kind, group);
    return group;
  }

  /** A little map: who may look at whom. */
  pattern(name, left, middle) {
    const [rows, columns] = name === "cross" ? [3, 4] : [4, 4];
    const pitch = DOT + 1.5;
    const top = middle - (rows * pitch - 1.5) / 2;
    const cells = svg("g", { class: "attnviz-architecture-cells" });
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const visible = name !== "masked" || column <= row;
        cells.append(svg("rect", {
          x: left + column * pitch, y: top + row * pitch, width: DOT, height: DOT, rx: 0.8,
          class: visible ? "attnviz-architecture-seen" : "attnviz-architecture-unseen",
        }));
      }
    }
    return cells;
  }

  words(x, y, text, anchor, name) {
    const element = svg("text", { x, y, "text-anchor": anchor, class: name });
    element.textContent = text;
    return element;
  }
}

/** The point so far from a corner on the way to another point. */
function toward([x, y], [otherX, otherY], distance) {
  const length = Math.hypot(otherX - x, otherY - y);
  const share = Math.min(0.5, distance / length);
  return [x + (otherX - x) * share, y + (otherY - y) * share];
}

export default mounted(new WeakMap(), (parent) => new Architecture(parent));
