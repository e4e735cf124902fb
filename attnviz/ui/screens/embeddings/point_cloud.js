// Words as points in three dimensions that a drag or the arrow keys turn. Drawn as SVG: it needs no WebGL, its labels are
// text of the page, and a screen of any size and theme shows them sharp.

const START = { yaw: -0.55, pitch: 0.38 };
const FLAT = { yaw: 0, pitch: 0 };
const STEP = Math.PI / 18; // of an arrow key
const SPEED = 0.009; // radians for each pixel of a drag
const HIT = 26; // pixels of a point's surroundings that take a click
const CORNERS = [[-1, -1], [1, -1], [1, 1], [-1, 1]];

class Space extends Figure {
  build() {
    this.view = { ...START };
    this.note = make("span", "attnviz-space-note");
    this.flat = make("button", "attnviz-space-button", { type: "button" });
    this.flat.addEventListener("click", () => this.turnTo(this.isFlat() ? START : FLAT));
    this.svg = svg("svg", { class: "attnviz-space-picture", role: "img", tabindex: "0" });
    this.svg.addEventListener("pointerdown", (event) => this.grab(event));
    this.svg.addEventListener("pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel"]) this.svg.addEventListener(name, (event) => this.drop(event));
    this.svg.addEventListener("keydown", (event) => this.pressed(event));
    return make("div", "attnviz-space attnviz-figure", {}, [
      this.svg,
      make("div", "attnviz-space-bar", {}, [this.note, this.flat]),
    ]);
  }

  receive(_, changed) {
    if (!changed) return;
    this.note.textContent = this.data.texts.turn;
    this.svg.setAttribute("aria-label", this.data.text);
    this.draw();
  }

  isFlat() {
    return Math.abs(this.view.yaw) < 1e-6 && Math.abs(this.view.pitch) < 1e-6;
  }

  turnTo(view) {
    this.view = { ...view };
    this.draw();
  }

  turn(yaw, pitch) {
    const limit = Math.PI / 2;
    this.turnTo({ yaw: this.view.yaw + yaw, pitch: Math.max(-limit, Math.min(limit, this.view.pitch + pitch)) });
  }

  // Pointer and keys ------------------------------------------------------------------------------------------------

  grab(event) {
    if (event.button) return;
    this.dragged = { x: event.clientX, y: event.clientY, moved: 0 };
    this.svg.setPointerCapture(event.pointerId);
  }

  drag(event) {
    if (!this.dragged) return;
    const across = event.clientX - this.dragged.x;
    const down = event.clientY - this.dragged.y;
    this.dragged = { x: event.clientX, y: event.clientY, moved: this.dragged.moved + Math.abs(across) + Math.abs(down) };
    if (this.dragged.moved > 4) this.turn(across * SPEED, down * SPEED);
  }

  drop(event) {
    const dragged = this.dragged;
    this.dragged = null;
    if (!dragged || dragged.moved > 4 || event.type === "pointercancel") return;
    const box = this.svg.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const near = this.spots
      .map((spot, index) => ({ index, far: Math.hypot(spot.x - x, spot.y - y) }))
      .sort((one, other) => one.far - other.far)[0];
    if (near && near.far <= HIT) this.trigger("pick", { index: near.index, call: Date.now() });
  }

  pressed(event) {
    const by = {
      ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP],
    }[event.key];
    if (event.key === "Home") this.turnTo(START);
    else if (by) this.turn(...by);
    else return;
    event.preventDefault();
  }

  // The picture -----------------------------------------------------------------------------------------------------

  /** Where a point of the unit cube is on the screen, and how near: larger is nearer. */
  project([x, y, z]) {
    const { yaw, pitch } = this.view;
    const across = x * Math.cos(yaw) + z * Math.sin(yaw);
    const away = -x * Math.sin(yaw) + z * Math.cos(yaw);
    const up = y * Math.cos(pitch) - away * Math.sin(pitch);
    const near = y * Math.sin(pitch) + away * Math.cos(pitch);
    const scale = this.isFlat() ? 1 : 1 / (1 - 0.16 * near);
    return { x: this.middle.x + across * scale * this.size, y: this.middle.y - up * scale * this.size, near };
  }

  draw() {
    const width = (this.drawnWidth = this.root.clientWidth);
    if (!width) return;
    const height = Math.round(Math.max(290, Math.min(450, width * 0.72)));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.style.height = `${height}px`;
    this.middle = { x: width / 2, y: height / 2 };
    const flat = this.isFlat();
    this.flat.textContent = flat ? this.data.texts.space : this.data.texts.flat;
    // The cube stays inside from every side; flat, its front does.
    this.size = flat ? Math.min(width / 2.5, height / 2.3) : Math.min(width / 3.3, height / 3.3);
    this.names = []; // where the axes' names stand
    this.svg.replaceChildren(...this.frame(flat), ...this.points(flat, width, height));
  }

  frame(flat) {
    const lines = [];
    const line = (from, to, name) => {
      const [one, other] = [this.project(from), this.project(to)];
      lines.push(svg("line", { class: `attnviz-space-${name}`, x1: one.x, y1: one.y, x2: other.x, y2: other.y }));
    };
    CORNERS.forEach(([one, other], index) => {
      const [next, after] = CORNERS[(index + 1) % 4];
      line([one, -1, other], [next, -1, after], "frame");
      if (!flat) line([one, 1, other], [next, 1, after], "box");
      if (!flat || other < 0) line([one, -1, other], [one, 1, other], flat ? "frame" : "box");
    });
    if (flat) line([-1, 1, -1], [1, 1, -1], "frame");
    // Each axis is named beside an edge of the box, where no point is.
    const spots = flat ? [[0, -1, 0], [-1, 0, 0]] : [[0, -1, 1.3], [-1.25, 0, 1], [1.35, -1, 0]];
    spots.forEach((point, axis) => {
      const { x, y } = this.project(point);
      const [left, base, anchor] = flat ? [[x, y + 18, "middle"], [x - 8, y + 4, "end"]][axis] : [x, y + 4, "middle"];
      const name = svg("text", { class: "attnviz-space-name", x: left, y: base, "text-anchor": anchor });
      name.textContent = this.data.axes[axis];
      lines.push(name);
      const length = textWidth(name.textContent, false);
      const from = left - { middle: length / 2, end: length }[anchor];
      this.names.push([from, base - 11, from + length, base + 4]);
    });
    return lines;
  }

  points(flat, width, height) {
    const { words } = this.data;
    this.spots = words.map((word) => this.project(word.at));
    const order = words.map((_, index) => index).sort((one, other) => this.spots[one].near - this.spots[other].near);
    const drawn = [];
    for (const index of order) {
      const [word, spot] = [words[index], this.spots[index]];
      if (!flat) {
        const foot = this.project([word.at[0], -1, word.at[2]]);
        drawn.push(svg("line", { class: "attnviz-space-stem", x1: spot.x, y1: spot.y, x2: foot.x, y2: foot.y }));
      }
      const radius = (word.on ? 7 : 5) * (flat ? 1 : 1 + 0.18 * spot.near);
      const dot = svg("circle", { class: `attnviz-space-dot attnviz-space-${word.kind}`, cx: spot.x, cy: spot.y, r: radius });
      if (word.on) dot.classList.add("attnviz-space-on");
      const title = svg("title", {});
      title.textContent = word.title;
      dot.append(title);
      drawn.push(dot);
    }
    return [...drawn, ...this.labels(width, height)];
  }

  /** Labels where there is room for them, the chosen words' first. One that finds none is in its point's title, but a
   * chosen word's goes further away, with a line to its point. */
  labels(width, height) {
    const { words } = this.data;
    const occupied = [...this.spots.map(({ x, y }) => [x - 5, y - 5, x + 5, y + 5]), ...this.names];
    const order = words.map((_, index) => index).sort((one, other) => Number(words[other].on) - Number(words[one].on) || this.spots[other].near - this.spots[one].near);
    const made = [];
    for (const index of order) {
      const { label, on } = words[index];
      const shown = Array.from(label).length > 18 ? `${Array.from(label).slice(0, 17).join("")}…` : label;
      const length = textWidth(shown, on);
      const { x, y } = this.spots[index];
      const ways = [
        [x + 10, y + 4.5, "start"], [x - 10, y + 4.5, "end"], [x, y - 11, "middle"], [x, y + 20, "middle"],
        [x + 8, y - 8, "start"], [x - 8, y - 8, "end"], [x + 8, y + 17, "start"], [x - 8, y + 17, "end"],
      ];
      const near = ways.length;
      for (const away of on ? [24, 40, 60] : []) {
        ways.push([x, y - away, "middle"], [x, y + away + 9, "middle"], [x + away, y - away / 2, "start"], [x - away, y - away / 2, "end"]);
        ways.push([x + away, y + away / 2 + 9, "start"], [x - away, y + away / 2 + 9, "end"]);
      }
      for (const [way, [left, base, anchor]] of ways.entries()) {
        const from = left - { start: 0, middle: length / 2, end: length }[anchor];
        const box = [from - 1, base - 11, from + length + 1, base + 4];
        const inside = box[0] >= 0 && box[2] <= width && box[1] >= 0 && box[3] <= height;
        if (!inside || occupied.some((other, number) => number !== index && overlap(box, other))) continue;
        occupied.push(box);
        if (way >= near) {
          const [x2, y2] = [Math.max(box[0], Math.min(x, box[2])), Math.max(box[1], Math.min(y, box[3]))];
          made.push(svg("line", { class: "attnviz-space-leader", x1: x, y1: y, x2, y2 }));
        }
        const text = svg("text", { class: `attnviz-space-label${on ? " attnviz-space-chosen" : ""}`, x: left, y: base, "text-anchor": anchor });
        text.textContent = shown;
        made.push(text);
        break;
      }
    }
    return made;
  }
}

const ruler = document.createElement("canvas").getContext("2d");

function textWidth(text, bold) {
  ruler.font = `${bold ? 600 : 400} 14px system-ui, sans-serif`;
  return ruler.measureText(text).width;
}

function overlap(one, other) {
  return one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];
}

export default mounted(new WeakMap(), (parent) => new Space(parent));
