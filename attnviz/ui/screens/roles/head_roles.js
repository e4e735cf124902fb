// What heads do: the roles to choose from, a tile for each head in the colour of its role, a table with a row for each, and
// beside them the texts of the head that is open.

/* global RoleTable, RoleExamples */

const ROOM = 56; // CSS pixels of a tile from which its role stands in it in words; below, a sign does
const ROOM_FOR_SIGN = 15;

class HeadRoles extends Figure {
  build() {
    this.current = ""; // the head that the Tab key reaches
    this.summary = make("p", "attnviz-roles-summary");
    this.roles = make("div", "attnviz-roles-choices", { role: "group" });
    this.grids = make("div", "attnviz-roles-grids");
    this.grids.addEventListener("click", (event) => this.clicked(event));
    this.grids.addEventListener("keydown", (event) => this.pressed(event));
    this.legend = make("ul", "attnviz-roles-legend");
    this.table = new RoleTable((id) => this.openHead(id));
    this.examples = new RoleExamples((id) => this.openHead(id));
    this.sized = this.grids;
    return make("div", "attnviz-roles attnviz-figure", {}, [
      this.summary,
      this.roles,
      make("div", "attnviz-roles-columns", {}, [make("div", "", {}, [this.grids, this.legend]), this.examples.root]),
      this.table.root,
    ]);
  }

  receive(before, changed) {
    if (!changed) return;
    const { data } = this;
    this.summary.textContent = data.summary;
    this.drawRoles();
    this.drawGrids(before);
    this.table.receive(data, this.heads());
    this.examples.receive(data, this.theme);
    this.draw();
  }

  draw() {
    this.drawnWidth = this.grids.clientWidth;
    const tile = this.grids.querySelector(".attnviz-roles-tile");
    const room = tile?.clientWidth ?? ROOM;
    this.root.classList.toggle("attnviz-roles-small", room < ROOM);
    this.root.classList.toggle("attnviz-roles-tiny", room < ROOM_FOR_SIGN);
    this.examples.draw();
  }

  heads() {
    return this.data.kinds.flatMap(({ title, tiles }) => tiles.filter(Boolean).map((tile) => ({ ...tile, kind: title })));
  }

  // The roles -------------------------------------------------------------------------------------------------------

  drawRoles() {
    const { roles, texts } = this.data;
    const focused = [...this.roles.children].indexOf(document.activeElement);
    this.roles.setAttribute("aria-label", texts.roles);
    this.roles.replaceChildren(...roles.map(({ name, group, text, title, count, chosen }) => {
      const button = make("button", `attnviz-roles-choice attnviz-roles-${group}`, {
        type: "button", title, "aria-pressed": String(chosen), "data-role": name,
      }, [
        make("span", "attnviz-roles-dot"), make("span", "", { textContent: text }),
        make("span", "attnviz-roles-count", { textContent: count }),
      ]);
      button.addEventListener("click", () => {
        this.trigger("role", chosen ? "" : name);
        button.setAttribute("aria-pressed", String(!chosen));
      });
      return button;
    }));
    if (focused >= 0) this.roles.children[Math.min(focused, roles.length - 1)]?.focus();
  }

  /** What the signs on small tiles stand for: of every role that a tile shows. */
  drawLegend() {
    const heads = this.heads();
    const shown = new Set(heads.map(({ sign }) => sign));
    const known = new Map();
    for (const entry of [...this.data.roles, ...heads.map(({ sign, group, deed }) => ({ sign, group, text: deed }))]) {
      if (!known.has(entry.sign)) known.set(entry.sign, entry);
    }
    const rows = [...known.values()].filter(({ sign }) => sign && shown.has(sign));
    this.legend.replaceChildren(...rows.map(({ sign, group, text }) =>
      make("li", `attnviz-roles-${group}`, {}, [
        make("span", "attnviz-roles-sign", { textContent: sign, "aria-hidden": "true" }), make("span", "", { textContent: text }),
      ]),
    ));
  }

  // The tiles -------------------------------------------------------------------------------------------------------

  drawGrids(before) {
    const { kinds, open } = this.data;
    const shape = JSON.stringify(kinds.map(({ title, layers, tiles }) => [title, layers, tiles.map((tile) => tile?.id)]));
    if (this.shape !== shape) {
      this.shape = shape;
      this.grids.replaceChildren(...kinds.map((kind) => this.grid(kind)));
      this.buttons = new Map([...this.grids.querySelectorAll("button")].map((button) => [button.dataset.head, button]));
    }
    this.drawLegend();
    for (const { id, label, sign, group, text, marked } of this.heads()) {
      const button = this.buttons.get(id);
      button.className = `attnviz-roles-tile attnviz-roles-${group}${marked ? "" : " attnviz-roles-faint"}`;
      button.firstChild.textContent = label;
      button.lastChild.textContent = sign;
      button.title = text;
      button.setAttribute("aria-label", text);
      button.setAttribute("aria-pressed", String(id === open));
    }
    if (!before || before.open !== open || !this.buttons.has(this.current)) this.reach(open || this.heads()[0]?.id);
  }

  grid({ title, layers, heads, tiles }) {
    const row = (children) => make("div", "attnviz-roles-row", { role: "row" }, children);
    const names = Array.from({ length: heads }, (_, head) =>
      make("div", "attnviz-roles-head", { role: "columnheader", textContent: `H${head}` }),
    );
    const cell = (tile) => make("div", "attnviz-roles-cell", { role: "gridcell" }, tile ? [
      make("button", "", { type: "button", tabIndex: -1, "data-head": tile.id }, [
        make("span", "attnviz-roles-label"), make("span", "attnviz-roles-sign"),
      ]),
    ] : []);
    const grid = make("div", "attnviz-roles-grid", { role: "grid", "aria-label": title }, [
      row([make("div", "attnviz-roles-layer", { role: "columnheader" }), ...names]),
      ...layers.map((name, layer) => row([
        make("div", "attnviz-roles-layer", { role: "rowheader", textContent: name }),
        ...tiles.slice(layer * heads, (layer + 1) * heads).map(cell),
      ])),
    ]);
    grid.style.setProperty("--attnviz-heads", heads);
    return make("section", "attnviz-roles-kind", {}, [make("h3", "", { textContent: title }), grid]);
  }

  reach(id) {
    if (this.buttons.has(this.current)) this.buttons.get(this.current).tabIndex = -1;
    this.current = id;
    if (this.buttons.has(id)) this.buttons.get(id).tabIndex = 0;
  }

  clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    this.reach(button.dataset.head);
    this.openHead(button.dataset.head);
  }

  /** It stands out at once; its texts come from the server. */
  openHead(id) {
    for (const [other, button] of this.buttons) button.setAttribute("aria-pressed", String(other === id));
    this.trigger("head", id);
  }

  /** The arrow keys go from head to head, over the grids of all kinds. */
  pressed(event) {
    const at = event.target.closest(".attnviz-roles-cell");
    if (!at) return;
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    const rows = [...this.grids.querySelectorAll(".attnviz-roles-row")].map((row) => [...row.querySelectorAll(".attnviz-roles-cell")]).filter((row) => row.length);
    const row = rows.findIndex((cells) => cells.includes(at));
    const column = rows[row].indexOf(at);
    let to = step && rows[row + step[0]]?.[column + step[1]];
    if (event.key === "Home") to = rows[row][0];
    if (event.key === "End") to = rows[row].at(-1);
    if (!step && event.key !== "Home" && event.key !== "End") return;
    event.preventDefault();
    const button = to?.querySelector("button");
    if (!button) return;
    this.reach(button.dataset.head);
    button.focus();
  }
}

export default mounted(new WeakMap(), (parent) => new HeadRoles(parent));
