// Folds the controls away and opens them again; folded, the button says what is chosen, as the controls have it.
//
// The reader decides with the button. On a small screen, such as a telephone's or a projector's, they fold once by
// themselves after a choice, and never what the reader is just using: with Enter in a text, whose box stays, and once
// they were scrolled out of sight. Whoever then opens them keeps them open.

const FOLDED = "attnviz-controls-folded"; // a class of the whole document, and where the tab remembers it
const SMALL = "(max-width: 640px), (max-height: 800px)";
const LARGE_TYPE = "attnviz-large-type"; // for a projector, so its screen counts as small
const CONTROLS = ".st-key-controls";
const HEADER = ".st-key-boxes, .st-key-controls, .st-key-example, .st-key-pair_example";
const WRITTEN = ["value", "aria-checked", "aria-label", "data-selected"]; // where controls write what they hold
const SAYS_ITSELF = ".st-key-model, .st-key-kind"; // values that need no name before them

class Fold {
  constructor(parent) {
    this.chosen = make("span", "attnviz-fold-chosen");
    this.name = make("span", "attnviz-fold-name");
    this.button = make("button", "attnviz-fold", { type: "button" }, [this.chosen, this.name]);
    this.button.addEventListener("click", () => {
      this.set(!this.folded);
      this.remember();
    });
    parent.append(this.button);
    const signal = { signal: (this.ending = new AbortController()).signal };
    for (const kind of ["input", "click"]) {
      document.addEventListener(kind, (event) => this.choose(event), { ...signal, capture: true });
    }
    document.addEventListener("keydown", (event) => this.press(event), { ...signal, capture: true });
    document.addEventListener("scroll", () => this.scrolled(), { ...signal, capture: true, passive: true });
    this.watch = new MutationObserver(() => this.say());
    // On a busy server the controls come later than this button, and on the way to another page others take their place.
    this.arrivals = new MutationObserver(() => {
      if (this.folded && document.querySelector(CONTROLS) !== this.controls) this.say();
    });
    this.arrivals.observe(document.body, { childList: true, subtree: true });
    this.set(this.remembered() === "folded");
  }

  destroy() {
    this.ending.abort();
    this.watch.disconnect();
    this.arrivals.disconnect();
    this.button.remove();
  }

  update(data) {
    if (!data) return;
    this.data = data;
    this.name.textContent = data.name;
    if (data.folded !== this.opensFolded) {
      // Another page, or the first; what the reader has decided holds on all of them.
      this.opensFolded = data.folded;
      if (!this.remembered()) this.set(data.folded);
    }
    this.say();
  }

  set(folded) {
    this.folded = folded;
    document.documentElement.classList.toggle(FOLDED, folded);
    this.button.setAttribute("aria-expanded", String(!folded));
    this.say();
  }

  remembered() {
    try {
      return sessionStorage.getItem(FOLDED);
    } catch {
      return this.decided; // a browser that may keep nothing begins each visit with the controls open
    }
  }

  remember() {
    this.decided = this.folded ? "folded" : "open";
    try {
      sessionStorage.setItem(FOLDED, this.decided);
    } catch {
      // Kept for this page only.
    }
  }

  /** Whether they may fold by themselves: on a small screen, as long as nothing was decided in this tab. */
  mayFold() {
    const small = window.matchMedia(SMALL).matches || document.documentElement.classList.contains(LARGE_TYPE);
    return small && !this.folded && !this.remembered();
  }

  choose(event) {
    if (event.target.closest?.(HEADER) && !this.button.contains(event.target)) this.chose = true;
  }

  press(event) {
    const plain = event.key === "Enter" && !event.shiftKey && !event.isComposing;
    if (!plain || !event.target.matches?.(".st-key-boxes textarea") || !this.mayFold()) return;
    this.set(true);
    this.remember();
  }

  /** What has gone out of sight folds without anything on the screen moving. */
  scrolled() {
    if (!this.chose || !this.mayFold()) return;
    const figures = document.querySelector(".st-key-figures");
    const controls = document.querySelector(CONTROLS);
    const main = document.querySelector('[data-testid="stMain"]');
    const header = document.querySelector('[data-testid="stHeader"]')?.getBoundingClientRect().bottom ?? 0;
    if (!figures || !controls || !main || controls.getBoundingClientRect().bottom > header) return;
    if (controls.contains(document.activeElement)) this.button.focus({ preventScroll: true }); // or it would be nowhere
    const before = figures.getBoundingClientRect().top;
    const anchoring = main.style.overflowAnchor;
    main.style.overflowAnchor = "none"; // some browsers keep what is seen in its place by themselves, others do not
    this.set(true);
    main.scrollTop += figures.getBoundingClientRect().top - before;
    main.style.overflowAnchor = anchoring;
    this.remember();
  }

  /** Says what is chosen, now and whenever a figure or the page itself changes a control. */
  say() {
    const parts = this.folded && this.data ? readChoices(this.data.more) : [];
    this.chosen.textContent = parts.join(" · ");
    this.chosen.title = this.chosen.textContent;
    this.watch.disconnect();
    this.controls = this.folded ? document.querySelector(CONTROLS) : null;
    const all = { childList: true, subtree: true, characterData: true, attributeFilter: WRITTEN };
    if (this.controls) this.watch.observe(this.controls, all);
  }
}

/** "encoder", "Layer 2", "Bundled translation model": what each control holds, and its name where that alone says little.
 *
 * The model comes last: its name is long, changes least, and is what may be cut off.
 */
function readChoices(more) {
  const found = [];
  const boxes = [...(document.querySelector(CONTROLS)?.children ?? [])];
  boxes.sort((one, other) => one.matches(".st-key-model") - other.matches(".st-key-model"));
  for (const box of boxes) {
    for (const control of box.querySelectorAll("[role=radiogroup], [role=combobox], input:not([role=combobox])")) {
      const name = control.ariaLabel;
      if (control.type === "checkbox") {
        if (control.checked) found.push(name);
        continue;
      }
      const value = (control.value ?? control.querySelector("[aria-checked=true]")?.textContent ?? "").trim();
      if (value) found.push(box.matches(SAYS_ITSELF) ? value : `${name} ${value}`);
    }
    const label = box.matches(".st-key-more") && box.querySelector("p")?.textContent;
    if (label && label !== more) found.push(label);
  }
  return found;
}

export default mounted(new WeakMap(), (parent) => new Fold(parent));
