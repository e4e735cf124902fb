// What a model with another head than one for language predicts: classes as bars, the answer marked in its passage, a label
// under each token.

class Predicted extends Figure {
  build() {
    return make("div", "attnviz-predicted attnviz-figure", { "aria-live": "polite" });
  }

  draw() {
    this.drawnWidth = this.root.clientWidth;
  }

  receive(_, changed) {
    if (!changed) return;
    const { title, pieces, bars } = this.data;
    const most = Math.max(...bars.map(({ value }) => Math.abs(value)), 1e-9);
    this.root.replaceChildren(
      make("h3", "", { textContent: title }),
      ...(pieces.length ? [make("p", "attnviz-predicted-text", {}, pieces.map(piece))] : []),
      make("div", "attnviz-predicted-bars", { role: "list" }, bars.flatMap(({ name, value, number }) => {
        const bar = make("span", "attnviz-predicted-bar", { "aria-hidden": "true" });
        bar.style.width = `${(100 * Math.abs(value)) / most}%`;
        return [
          make("span", "attnviz-predicted-name", { textContent: name, role: "listitem" }), bar,
          make("span", "attnviz-predicted-number", { textContent: number }),
        ];
      })),
    );
    this.draw();
  }
}

/** A piece of the text: marked, with a label under it, or as it is. */
function piece({ text, label, marked }) {
  if (label) return make("ruby", "", {}, [text, make("rt", "", { textContent: label })]);
  return make(marked ? "mark" : "span", "", { textContent: text });
}

export default mounted(new WeakMap(), (parent) => new Predicted(parent));
