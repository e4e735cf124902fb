// Marks the first place of each word of the field on the page, and says what it means where it is clicked. The marks are
// the browser's own highlights, so nothing of the page is changed; the line below has the words as buttons.

const MARKED = "attnviz-terms";
const REST = 400; // ms without a change of the page after which words are looked for
const SKIPPED = "button, a, input, textarea, select, pre, code, svg, script, style, .katex, [role=radio], [role=button], .st-key-glossary";

class Glossary {
  constructor(parent) {
    this.title = make("span", "attnviz-terms-title");
    this.list = make("span", "attnviz-terms-list");
    this.note = make("div", "attnviz-terms-note", { role: "note", hidden: true, "aria-live": "polite" });
    this.root = make("div", "attnviz-terms", {}, [this.title, this.list, this.note]);
    parent.append(this.root);
    this.clicked = (event) => this.click(event);
    this.pressed = (event) => event.key === "Escape" && this.close();
    this.moved = () => this.note.hidden || this.put();
    document.addEventListener("click", this.clicked);
    document.addEventListener("keydown", this.pressed);
    window.addEventListener("scroll", this.moved, true);
    this.occurrences = [];
    this.watch = new MutationObserver(() => this.later());
    const app = document.querySelector('[data-testid="stMain"]');
    if (app) this.watch.observe(app, { childList: true, subtree: true });
  }

  destroy() {
    this.watch.disconnect();
    clearTimeout(this.rest);
    document.removeEventListener("click", this.clicked);
    document.removeEventListener("keydown", this.pressed);
    window.removeEventListener("scroll", this.moved, true);
    globalThis.CSS?.highlights?.delete(MARKED);
    this.root.remove();
  }

  update(data) {
    if (!data) return;
    this.data = data;
    this.title.textContent = `${data.title}:`;
    const buttons = data.terms.map((term) => {
      const button = make("button", "attnviz-term", { type: "button", textContent: term.forms[0] });
      button.addEventListener("click", (event) => {
        event.stopPropagation();
        this.open(term, button, button);
      });
      return button;
    });
    this.list.replaceChildren(...buttons);
    this.later();
  }

  later() {
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.find(), REST);
  }

  /** The first place of each word in what the page says, apart from buttons, which do something else. */
  find() {
    const left = new Map(this.data.terms.map((term, index) => [index, pattern(term.forms)]));
    const longer = this.data.terms.map((term) => term.forms[0].length);
    this.occurrences = [];
    const main = document.querySelector('[data-testid="stMain"]');
    const texts = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
    while (left.size && texts.nextNode()) {
      const node = texts.currentNode;
      const around = node.parentElement;
      if (!node.data.trim() || around.closest(SKIPPED) || !around.checkVisibility?.({ visibilityProperty: true })) continue;
      const marked = [];
      // "special token" before "token", which is a part of it.
      for (const index of [...left.keys()].sort((one, other) => longer[other] - longer[one])) {
        const match = left.get(index).exec(node.data);
        if (!match) continue;
        const [start, end] = [match.index, match.index + match[0].length];
        if (marked.some(([from, to]) => start < to && from < end)) continue;
        const range = document.createRange();
        range.setStart(node, start);
        range.setEnd(node, end);
        marked.push([start, end]);
        this.occurrences.push({ term: this.data.terms[index], range });
        left.delete(index);
      }
    }
    globalThis.CSS?.highlights?.set(MARKED, new Highlight(...this.occurrences.map(({ range }) => range)));
  }

  click(event) {
    if (this.note.contains(event.target)) return;
    this.close();
    if (event.target.closest?.(SKIPPED)) return;
    for (const { term, range } of this.occurrences) {
      const inside = [...range.getClientRects()].find(
        (box) => event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom,
      );
      if (inside) {
        this.open(term, range);
        return;
      }
    }
  }

  /** Says what a word means, beside it: a range of the text or a button. */
  open(term, where, button = null) {
    const again = button && this.opener === button;
    this.close();
    if (again) return;
    this.where = where;
    this.opener = button;
    button?.setAttribute("aria-expanded", "true");
    this.note.replaceChildren(make("b", "", { textContent: term.forms[0] }), document.createTextNode(term.text));
    this.note.hidden = false;
    this.put();
  }

  put() {
    const box = this.where.getBoundingClientRect();
    const { width, height } = this.note.getBoundingClientRect();
    const below = box.bottom + 6 + height < window.innerHeight;
    this.note.style.left = `${Math.max(8, Math.min(box.left, window.innerWidth - width - 8))}px`;
    this.note.style.top = `${below ? box.bottom + 6 : Math.max(8, box.top - height - 6)}px`;
  }

  close() {
    this.note.hidden = true;
    this.opener?.removeAttribute("aria-expanded");
    this.opener = null;
  }
}

/** Whole words in scripts that have spaces between them; Chinese has none, and is found anywhere. */
function pattern(forms) {
  const escaped = forms.map((form) => form.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).sort((a, b) => b.length - a.length);
  const all = escaped.join("|");
  return /\p{Script=Han}/u.test(all) ? new RegExp(all, "u") : new RegExp(`(?<![\\p{L}\\p{N}])(?:${all})(?![\\p{L}\\p{N}])`, "iu");
}

export default mounted(new WeakMap(), (parent) => new Glossary(parent));
