// Tables of numbers beside each other, sums written out, and steps that lead from one number to the next. Python writes
// every number; a cell that is a weight has its colour. Rows or cells can be picked, with the pointer or the keys.

class Tables extends Figure {
  build() {
    this.blocks = [];
    return make("div", "attnviz-tables attnviz-figure", { role: "group" });
  }

  receive(_, changed) {
    if (!changed) return;
    const { scale } = this.theme;
    this.colours = scale.map(toRgb);
    this.ramp = `linear-gradient(90deg, ${scale.join(", ")})`;
    this.write(this.data);
  }

  /** A part that is wider than the screen can be scrolled, so the keyboard has to reach it too. */
  resized() {
    this.blocks.forEach((block) => block.resized?.());
  }

  /** Blocks of the same shape stay and get other numbers, so that what has the focus keeps it. */
  write(data) {
    this.root.setAttribute("aria-label", data.text);
    data.blocks.forEach((content, index) => {
      const shape = shapeOf(content);
      let block = this.blocks[index];
      if (block?.shape !== shape) {
        const fresh = new BLOCKS[content.kind](this, content);
        fresh.shape = shape;
        if (block) block.root.replaceWith(fresh.root);
        else this.root.append(fresh.root);
        this.blocks[index] = block = fresh;
      }
      block.update(content);
    });
    while (this.blocks.length > data.blocks.length) this.blocks.pop().root.remove();
    this.blocks.forEach((block) => block.resized?.());
  }

  /** A cell's text and, where it is a weight, its colour with the black or white that can be read on it. */
  fill(cell, [text, weight = null, looks = ""]) {
    const target = cell.firstElementChild?.tagName === "BUTTON" ? cell.firstElementChild : cell;
    rich(target, text);
    cell.className = `attnviz-tables-cell ${looks.replace(/\w+/g, "attnviz-tables-$&")}`;
    cell.classList.toggle("attnviz-tables-weight", weight !== null);
    const colour = weight === null ? null : between(this.colours, weight);
    cell.style.backgroundColor = colour ? `rgb(${colour.join(" ")})` : "";
    cell.style.color = colour ? onTop(colour) : "";
  }
}

class Table {
  constructor(owner, content) {
    this.owner = owner;
    const { columns, rows, pick } = content;
    this.title = make("span");
    this.legend = make("span", "attnviz-tables-legend", {}, [
      make("span", "", { textContent: "0" }),
      make("span", "attnviz-tables-ramp"),
      make("span", "", { textContent: "1" }),
    ]);
    const caption = make("caption", "attnviz-tables-title", {}, [this.title, this.legend]);
    const starts = new Set();
    const spare = new Set();
    let column = 0;
    this.groups = content.groups.map(([, span, looks = ""]) => {
      starts.add(column);
      for (const end = column + span; column < end; column++) if (looks === "spare") spare.add(column);
      const head = make("th", looks && `attnviz-tables-${looks}`, { colSpan: span, scope: "colgroup" });
      head.classList.add("attnviz-tables-start");
      return head;
    });
    const markColumn = (cell, index) => {
      cell.classList.toggle("attnviz-tables-start", starts.has(index));
      cell.classList.toggle("attnviz-tables-spare", spare.has(index));
      return cell;
    };
    this.markColumn = markColumn;
    this.columns = columns.map((_, index) => markColumn(make("th", "", { scope: "col" }), index));
    this.corner = make("th", "attnviz-tables-name", { scope: "col" });
    const head = make("thead");
    if (this.groups.length) head.append(make("tr", "", {}, [make("td", "attnviz-tables-name"), ...this.groups]));
    head.append(make("tr", "", {}, [this.corner, ...this.columns]));
    this.rows = rows.map((_, row) => {
      const name = make("th", "attnviz-tables-name", { scope: "row" });
      if (pick === "row") name.append(this.button(row, null));
      const cells = columns.map((_, index) => {
        const cell = make("td", "attnviz-tables-cell");
        if (pick === "cell") cell.append(this.button(row, index));
        return cell;
      });
      const line = make("tr", pick === "row" ? "attnviz-tables-line" : "", {}, [name, ...cells]);
      if (pick === "row") line.addEventListener("click", () => this.pick(row, null));
      return { line, name, cells };
    });
    this.foot = null;
    const parts = [caption, head, make("tbody", "", {}, this.rows.map(({ line }) => line))];
    if (content.foot) {
      const name = make("th", "attnviz-tables-name", { scope: "row" });
      const cells = columns.map(() => make("td", "attnviz-tables-cell"));
      this.foot = { name, cells };
      parts.push(make("tfoot", "", {}, [make("tr", "", {}, [name, ...cells])]));
    }
    this.root = make("div", "attnviz-tables-scroll", {}, [make("table", "attnviz-tables-table", {}, parts)]);
  }

  button(row, column) {
    const button = make("button", "attnviz-tables-button", { type: "button", tabIndex: -1 });
    button.addEventListener("click", (event) => {
      event.stopPropagation();
      this.pick(row, column);
    });
    button.addEventListener("keydown", (event) => this.key(event, row, column));
    button.addEventListener("focus", () => this.rove(button));
    return button;
  }

  pick(row, column) {
    this.owner.trigger("pick", [this.content.head, row, column]);
  }

  /** One stop for the Tab key in each table; the arrow keys go on from there. */
  rove(button) {
    this.root.querySelectorAll('button[tabindex="0"]').forEach((other) => (other.tabIndex = -1));
    button.tabIndex = 0;
  }

  at(row, column) {
    return column === null ? this.rows[row].name.firstElementChild : this.rows[row].cells[column].firstElementChild;
  }

  key(event, row, column) {
    const last = this.rows.length - 1;
    const lastColumn = this.columns.length - 1;
    const go = {
      ArrowUp: [Math.max(0, row - 1), column],
      ArrowDown: [Math.min(last, row + 1), column],
      ArrowLeft: column === null ? null : [row, Math.max(0, column - 1)],
      ArrowRight: column === null ? null : [row, Math.min(lastColumn, column + 1)],
      Home: column === null ? [0, null] : [row, 0],
      End: column === null ? [last, null] : [row, lastColumn],
    }[event.key];
    if (!go) return;
    event.preventDefault();
    this.at(...go).focus();
  }

  update(content) {
    const { owner } = this;
    this.content = content;
    rich(this.title, content.title);
    this.title.parentElement.hidden = !content.title.length && !content.legend;
    this.legend.hidden = !content.legend;
    this.legend.children[1].style.background = owner.ramp;
    this.groups.forEach((head, index) => rich(head, content.groups[index][0]));
    this.columns.forEach((head, index) => {
      rich(head, content.columns[index]);
      head.classList.toggle("attnviz-tables-on", content.on?.[1] === index);
    });
    rich(this.corner, content.corner);
    this.rows.forEach((row, index) => {
      const { name, cells } = content.rows[index];
      rich(row.name.firstElementChild ?? row.name, [{ word: name }]);
      const chosen = content.on?.[0] === index;
      row.line.classList.toggle("attnviz-tables-on", chosen);
      if (content.pick === "row") {
        row.name.firstElementChild.setAttribute("aria-pressed", chosen);
      }
      row.cells.forEach((cell, column) => {
        owner.fill(cell, cells[column]);
        this.markColumn(cell, column);
        if (content.pick !== "cell") return;
        const here = chosen && content.on[1] === column;
        cell.classList.toggle("attnviz-tables-picked", here);
        cell.firstElementChild.setAttribute("aria-pressed", here);
        const other = content.columns[column].map((part) => part.word ?? part).join("");
        cell.firstElementChild.setAttribute("aria-label", `${name} → ${other} ${cells[column][0]}`);
      });
    });
    if (this.foot) {
      rich(this.foot.name, content.foot.name);
      this.foot.cells.forEach((cell, column) => {
        owner.fill(cell, content.foot.cells[column]);
        this.markColumn(cell, column);
      });
    }
    if (content.pick && !this.root.contains(document.activeElement)) {
      const [row, column] = content.on ?? [0, 0];
      this.rove(this.at(row ?? 0, content.pick === "row" ? null : (column ?? 0)));
    }
  }

  resized() {
    const wider = this.root.scrollWidth > this.root.clientWidth + 1;
    if (wider && !this.content?.pick) this.root.tabIndex = 0;
    else this.root.removeAttribute("tabindex");
  }
}

/** Products over their results, added up: a · b + c · d = e. */
class Sum {
  constructor() {
    this.title = make("div", "attnviz-tables-title");
    this.terms = make("div", "attnviz-tables-sum");
    this.root = make("div", "attnviz-tables-sums", {}, [this.title, this.terms]);
  }

  update(content) {
    rich(this.title, content.title);
    const column = (above, below) =>
      make("span", "attnviz-tables-term", {}, [
        rich(make("span"), above),
        rich(make("span", "attnviz-tables-below"), below),
      ]);
    // A sign stays with the term that follows it, wherever the line breaks.
    const terms = content.terms.map(([above, below], index) =>
      make("span", "attnviz-tables-signed", {}, index ? [column("+", "+"), column(above, below)] : [column(above, below)]),
    );
    terms.push(make("span", "attnviz-tables-total", { textContent: `= ${content.total}` }));
    this.terms.replaceChildren(...terms);
  }
}

/** A name, what is done, and the number that comes out, one line each. */
class Steps {
  constructor(owner) {
    this.owner = owner;
    this.root = make("dl", "attnviz-tables-steps");
  }

  update(content) {
    const lines = content.rows.map(([name, text, result]) => {
      const number = make("span", "attnviz-tables-cell");
      this.owner.fill(number, result);
      return make("div", "attnviz-tables-step", {}, [
        rich(make("dt"), name),
        make("dd", "", {}, [rich(make("span", "attnviz-tables-how"), text), make("span", "", { textContent: "=" }), number]),
      ]);
    });
    this.root.replaceChildren(...lines);
  }
}

const BLOCKS = { table: Table, sum: Sum, steps: Steps };

/** What cannot change without building the block anew. */
function shapeOf({ kind, columns = [], rows = [], groups = [], foot, pick }) {
  if (kind !== "table") return kind;
  return JSON.stringify([columns.length, rows.length, groups.map(([, span, looks]) => [span, looks]), !foot, pick]);
}

/**
 * Writes text set like a formula: single letters are italic, `_{…}` is below the line and `^{…}` above it. In an array,
 * `{ word: "…" }` is a reader's own word and stays as it is.
 */
function rich(element, text) {
  const parts = Array.isArray(text) ? text : [text];
  element.replaceChildren(...parts.flatMap((part) => (typeof part === "string" ? formula(part) : [part.word])));
  return element;
}

function formula(text) {
  const parts = [];
  for (const [all, below, above, letters] of text.matchAll(/_\{([^}]*)\}|\^\{([^}]*)\}|(\p{L}+)|[^_^\p{L}]+|[_^]/gu)) {
    if (below !== undefined) parts.push(make("sub", "", {}, formula(below)));
    else if (above !== undefined) parts.push(make("sup", "", {}, formula(above)));
    else if (letters?.length === 1) parts.push(make("i", "", { textContent: letters }));
    else parts.push(all);
  }
  return parts;
}

/** The colour of a share in [0, 1] on equally spaced stops; all above 1, which dropout can make, have the last one. */
function between(stops, share) {
  const position = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const low = Math.min(Math.floor(position), stops.length - 2);
  return stops[low].map((channel, index) => Math.round(channel + (position - low) * (stops[low + 1][index] - channel)));
}

/** Black or white, whichever has the higher contrast (WCAG 2.2); it is 4.58 at least. */
function onTop(colour) {
  return luminance(colour) > 0.179 ? "#000000" : "#ffffff";
}

export default mounted(new WeakMap(), (parent) => new Tables(parent));
