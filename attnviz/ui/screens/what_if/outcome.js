// What the model says before and after, with the words that differ marked; and the next token where it changes most: one
// row a token, above its probability before, below it the one after.

class Outcome extends Figure {
  build() {
    this.texts = make("div", "attnviz-outcome-texts", { "aria-live": "polite" });
    this.next = make("div", "attnviz-outcome-next");
    return make("div", "attnviz-outcome attnviz-figure", {}, [this.texts, this.next]);
  }

  draw() {
    this.drawnWidth = this.root.clientWidth;
  }

  receive(_, changed) {
    if (!changed) return;
    const { texts, remark, next } = this.data;
    this.texts.replaceChildren(
      ...texts.map(({ name, parts, invites }) => make("p", "attnviz-outcome-text", {}, [
        make("span", "attnviz-outcome-name", { textContent: name }),
        make("span", invites ? "attnviz-outcome-invitation" : "attnviz-outcome-words", {}, parts.map(marked)),
      ])),
      ...(remark ? [make("p", "attnviz-outcome-remark", { textContent: remark })] : []),
    );
    this.next.hidden = !next;
    if (next) this.drawNext(next);
    this.draw();
  }

  drawNext({ title, names, tokens }) {
    const most = Math.max(...tokens.flatMap((token) => [token.before, token.after]), 1e-9);
    const bar = (part, share) => {
      const element = make("span", `attnviz-outcome-bar attnviz-outcome-${part}`);
      element.style.width = `${(100 * share) / most}%`;
      return element;
    };
    const key = (part, name) => make("span", "attnviz-outcome-key", {}, [
      make("span", `attnviz-outcome-bar attnviz-outcome-${part}`), make("span", "", { textContent: name }),
    ]);
    const rows = tokens.map((token) => make("div", `attnviz-outcome-row${token.first ? " attnviz-outcome-first" : ""}`, { role: "listitem" }, [
      make("span", "attnviz-outcome-token", { textContent: token.label, title: token.label }),
      make("span", "attnviz-outcome-bars", { "aria-hidden": "true" }, [bar("before", token.before), bar("after", token.after)]),
      make("span", "attnviz-outcome-shares", { textContent: token.shares }),
    ]));
    this.next.replaceChildren(
      make("div", "attnviz-outcome-head", {}, [
        make("span", "attnviz-outcome-title", { textContent: title }),
        make("span", "attnviz-outcome-keys", {}, [key("before", names[0]), key("after", names[1])]),
      ]),
      make("div", "attnviz-outcome-rows", { role: "list" }, rows),
    );
  }
}

/** A piece of a text; words that are gone are struck out, words that are new stand out. */
function marked({ text, mark }) {
  const tag = { gone: "del", new: "mark" }[mark] ?? "span";
  return make(tag, "", { textContent: text });
}

export default mounted(new WeakMap(), (parent) => new Outcome(parent));
