// A sentence that explains a picture. One click puts it away for good; the browser remembers that, nobody else does.

class Hint {
  constructor(parent) {
    this.text = make("span", "attnviz-hint-text");
    this.link = make("a", "attnviz-hint-link", { target: "_self" });
    this.button = make("button", "attnviz-hint-close", { type: "button" });
    this.button.addEventListener("click", () => this.putAway());
    this.root = make("div", "attnviz-hint", { role: "note", hidden: true }, [
      make("span", "attnviz-hint-words", {}, [this.text, " ", this.link]),
      this.button,
    ]);
    parent.append(this.root);
  }

  destroy() {
    this.root.remove();
  }

  update(data) {
    if (!data) return;
    this.name = `attnviz-hint-${data.name}`;
    this.text.textContent = data.text;
    this.link.hidden = !data.link;
    if (data.link) {
      this.link.textContent = data.link[0];
      this.link.setAttribute("href", data.link[1]);
    }
    this.button.textContent = data.close;
    this.root.hidden = this.wasPutAway();
  }

  putAway() {
    this.root.hidden = true;
    try {
      localStorage.setItem(this.name, "away");
    } catch {
      // A browser that may keep nothing shows it again on the next visit.
    }
  }

  wasPutAway() {
    try {
      return localStorage.getItem(this.name) !== null;
    } catch {
      return false;
    }
  }
}

export default mounted(new WeakMap(), (parent) => new Hint(parent));
