// What the pointer or the keyboard is at, in words, beside it: a name where there is one, and a text under it.

const AWAY = { right: 14, under: 16, above: 10 }; // CSS pixels from what is pointed at

class Tip {
  /** `above`: it stands above the pointer, never under it. `left`: CSS pixels to the pointer where it stands left of it. */
  constructor({ above = false, left = 10 } = {}) {
    this.above = above;
    this.left = left;
    this.name = make("div", "attnviz-tip-name", { hidden: true });
    this.text = make("div", "");
    this.root = make("div", "attnviz-tip", { role: "status", hidden: true }, [this.name, this.text]);
  }

  get hidden() {
    return this.root.hidden;
  }

  hide() {
    this.root.hidden = true;
  }

  /** Only what is new is written: assistive tools read a tip each time that its text changes. */
  say(text, name = "") {
    if (this.name.textContent !== name) this.name.textContent = name;
    if (this.text.textContent !== text) this.text.textContent = text;
    this.name.hidden = !name;
    this.root.hidden = false;
  }

  /** Beside a point of the window, on a side where all of it is on the screen. */
  moveTo(x, y) {
    const { offsetWidth: width, offsetHeight: height } = this.root;
    const { clientWidth: across } = document.documentElement;
    let left = x + AWAY.right;
    let top = y + AWAY.under;
    if (this.above) left = Math.min(left, window.innerWidth - width - 8);
    else if (left + width > across) left = x - this.left - width;
    if (this.above || top + height > window.innerHeight) top = y - AWAY.above - height;
    this.root.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
  }
}
