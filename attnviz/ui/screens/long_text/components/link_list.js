// The strongest links of a head, a row each: its weight, and the words around both ends.

const ASK_AGAIN = 700; // ms

class LinkList extends Figure {
  build() {
    this.title = make("h3", "attnviz-links-title");
    this.note = make("p", "attnviz-links-note");
    this.box = make("div", "attnviz-links-box");
    return make("section", "attnviz-links attnviz-figure", {}, [this.title, this.note, this.box]);
  }

  draw() {
    this.drawnWidth = this.root.clientWidth;
  }

  receive(_, changed) {
    const { rows, texts } = this.data;
    if (!rows) this.askLater();
    if (!changed) return;
    this.title.textContent = texts.title;
    this.note.textContent = !rows ? texts.waiting : rows.length ? texts.note : texts.none;
    this.root.setAttribute("aria-label", texts.title);
    const head = ["weight", "query", "key"].map((name) => make("th", "", { scope: "col", textContent: texts[name] }));
    const table = make("table", "attnviz-links-table", {}, [
      make("thead", "", {}, [make("tr", "", {}, [...head, make("td")])]),
      make("tbody", "", {}, (rows ?? []).map((row) => this.row(row))),
    ]);
    this.box.replaceChildren(...(rows?.length ? [table] : []));
    this.draw();
  }

  /** They are computed beside the page; it asks until they are there. */
  askLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.root.isConnected && this.trigger("look", performance.now()), ASK_AGAIN);
  }

  row({ weight, query, key }) {
    const { texts } = this.data;
    const button = make("button", "attnviz-long-button", {
      type: "button", textContent: texts.go, "aria-label": fill(texts.goName, query.token.trim(), key.token.trim()),
    });
    button.addEventListener("click", () => tellOther("go", { query: query.position, key: key.position }));
    const words = ({ before, token, after, position }) => make("td", "", {}, [
      make("span", "attnviz-links-around", { textContent: `${before}` }), make("strong", "", { textContent: token }),
      make("span", "attnviz-links-around", { textContent: after }),
      make("span", "attnviz-links-position", { textContent: ` ${position.toLocaleString(document.documentElement.lang || "en")}` }),
    ]);
    return make("tr", "", {}, [make("td", "attnviz-links-weight", { textContent: weight }), words(query), words(key), make("td", "", {}, [button])]);
  }
}

export default mounted(new WeakMap(), (parent) => new LinkList(parent));
