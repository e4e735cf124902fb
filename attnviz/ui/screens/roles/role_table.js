// A row for each head: its role, and its number as a dot with a whisker for the interval and a mark for the baseline.

/* exported RoleTable, measuredPicture */

/** The number of a role as a picture on a line from 0 to 1. */
function measuredPicture({ value, low, high, baseline, number, interval, beside }) {
  const x = (share) => (4 + 92 * Math.min(1, Math.max(0, share))).toFixed(2);
  return make("span", "attnviz-roles-picture", { title: `${number} (${interval}) · ${beside}` }, [
    svg("svg", { viewBox: "0 0 100 16", "aria-hidden": "true", preserveAspectRatio: "none" }, [
      svg("line", { class: "attnviz-roles-axis", x1: 4, x2: 96, y1: 8, y2: 8 }),
      svg("line", { class: "attnviz-roles-baseline", x1: x(baseline), x2: x(baseline), y1: 2, y2: 14 }),
      svg("line", { class: "attnviz-roles-whisker", x1: x(low), x2: x(high), y1: 8, y2: 8 }),
      svg("ellipse", { class: "attnviz-roles-value", cx: x(value), cy: 8, rx: 2.6, ry: 4 }),
    ]),
  ]);
}

class RoleTable {
  constructor(open) {
    this.open = open;
    this.order = null; // [column, whether it falls]
    this.title = make("h3", "");
    this.note = make("p", "attnviz-roles-small");
    this.table = make("table", "attnviz-roles-table");
    this.root = make("div", "attnviz-roles-all", {}, [
      this.title, this.note, make("div", "attnviz-roles-scroll", { tabIndex: 0, role: "region" }, [this.table]),
    ]);
    this.table.addEventListener("click", (event) => {
      const sort = event.target.closest("[data-sort]");
      const head = event.target.closest("[data-row]");
      if (sort) this.sort(Number(sort.dataset.sort));
      else if (head) this.open(head.dataset.row);
    });
  }

  receive({ texts, roles, open }, heads) {
    const role = roles.find(({ chosen }) => chosen)?.name ?? "";
    if (role !== this.role) this.order = role ? [2, true] : null;
    Object.assign(this, { texts, heads, role, openId: open });
    this.title.textContent = texts.table;
    this.note.textContent = texts.table_note;
    this.root.querySelector(".attnviz-roles-scroll").setAttribute("aria-label", texts.table);
    this.write();
  }

  sort(column) {
    this.order = [column, this.order?.[0] === column ? !this.order[1] : column >= 2];
    this.write();
    this.table.querySelector(`[data-sort="${column}"]`).focus();
  }

  /** What a column is sorted by. */
  key(head, column) {
    const { measured } = head;
    return [
      head.place, head.deed || "\uffff", measured?.value ?? -1, measured?.value ?? -1, measured?.baseline ?? -1,
      measured?.size ?? -1,
    ][column];
  }

  write() {
    const { texts, heads } = this;
    const rows = heads.map((head, place) => ({ ...head, place }));
    if (this.order) {
      const [column, falls] = this.order;
      rows.sort((one, two) => {
        const [a, b] = [this.key(one, column), this.key(two, column)];
        const order = typeof a === "string" ? a.localeCompare(b) : a - b;
        return (falls ? -order : order) || one.place - two.place;
      });
    }
    const headings = texts.columns.map((name, column) => {
      const sorted = this.order?.[0] === column ? (this.order[1] ? "descending" : "ascending") : "none";
      return make("th", "", { scope: "col", "aria-sort": sorted }, [
        make("button", "", { type: "button", textContent: name, "data-sort": column }),
      ]);
    });
    this.table.replaceChildren(
      make("thead", "", {}, [make("tr", "", {}, headings)]),
      make("tbody", "", {}, rows.map((head) => this.row(head))),
    );
  }

  row({ id, name, kind, group, deed, measured, marked }) {
    const open = make("button", "attnviz-roles-open", { type: "button", "data-row": id, textContent: `${kind} ${name}` });
    const role = make("td", `attnviz-roles-role attnviz-roles-${group}`, {}, [
      make("span", "attnviz-roles-dot"), make("span", "", { textContent: deed || "–" }),
    ]);
    const cells = measured
      ? [
          make("td", "", {}, [measuredPicture(measured)]),
          make("td", "attnviz-roles-number", { textContent: measured.number }),
          make("td", "attnviz-roles-number", { textContent: measured.beside }),
          make("td", "attnviz-roles-number", { textContent: measured.cases }),
        ]
      : [2, 3, 4, 5].map(() => make("td"));
    if (measured) cells[1].append(make("span", "attnviz-roles-interval", { textContent: measured.interval }));
    return make("tr", marked ? "" : "attnviz-roles-faint-row", { "aria-selected": String(id === this.openId) }, [
      make("th", "", { scope: "row" }, [open]), role, ...cells,
    ]);
  }
}
