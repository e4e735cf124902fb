// What the browser does around every page, begun once: it outlives the pages, for Streamlit only exchanges their contents.

/* global mounted */

const NARROW = 768; // up to this width Streamlit lays its menu over the page
const LARGE = "attnviz-large-type"; // a class of the whole document, and where the choice is stored
const SPOKEN = ["aria-label", "title", "placeholder", "alt"]; // attributes that are read to somebody
// Where nothing is Streamlit's; and where its texts are ours or a reader's words, though their attributes may be its own.
const OWN = '[data-testid="stBidiComponentRegular"], .js-plotly-plot, .katex, code, [role=gridcell]';
const OWN_TEXT = '[data-testid="stMarkdownContainer"], [data-testid="stMultiSelect"], [role=option]';
const BOTH = '[data-testid="stTooltipContent"], [data-testid="stTopNav"]'; // have ours and Streamlit's side by side
const LONGEST = 200; // characters of what Streamlit says
const PAUSE = 250; // ms without a letter after which a text is taken over
const TEXT = '[data-testid="stTextArea"] textarea';
const LONGEST_VALUE = 30_000; // characters in the address: Streamlit writes any text there before the server can say no
const MENU_LINK = '[data-testid="stSidebarNavLink"]';
const CLOSE_MENU = '[data-testid="stSidebarCollapseButton"] button';

/** Back and Forward show what was seen: the address holds all of it, so the page is opened anew from there.
 *
 * Streamlit itself takes the reader to the page alone. It also takes the old page's choices out of the address, as a stop
 * of its own, before it writes the new page there: what the address was when the reader last did something, or when the
 * page came to rest, is put back then. On a busy machine the page may seem to rest in between; the new page still takes
 * the place of the address without choices, which nobody has seen.
 *
 * What a reader did is a stop from the first address that is written for it on; what else is written until the page
 * rests, or the reader does something else, belongs to the same stop. To wait for the rest would come too late: a browser
 * that has much to do never says that the page ran, and Back would leave the app.
 */
class Ways {
  constructor() {
    this.seen = this.address();
    this.acted = true; // whether the reader did something since this page was opened
    this.begun = false; // whether the address belongs to a stop that still grows, the one behind `seen`
    this.emptied = false; // whether that stop has lost all choices since, as before another page comes
    this.push = history.pushState.bind(history);
    this.replace = history.replaceState.bind(history);
    history.pushState = (state, unused, url) => this.written(state, url ?? location.href);
    for (const kind of ["pointerdown", "keydown"]) {
      window.addEventListener(kind, () => this.act(), true);
    }
    window.addEventListener("popstate", (event) => this.wentBack(event), true);
    const app = document.querySelector('[data-testid="stApp"]');
    const rest = () => app.dataset.testScriptState === "notRunning" && this.settle();
    new MutationObserver(rest).observe(app, { attributes: true, attributeFilter: ["data-test-script-state"] });
  }

  address() {
    return location.pathname + location.search;
  }

  act() {
    this.acted = true;
    this.emptied = false;
    this.settle();
  }

  settle() {
    this.begun = false;
    this.seen = this.address();
  }

  written(state, whole) {
    const url = withoutLongValues(whole);
    const { pathname, search } = new URL(url, location.href);
    const elsewhere = pathname !== location.pathname;
    // A page that writes into the address what it opens with is no stop on the way back; what a reader did is one.
    const grows = this.begun || this.emptied;
    if (!grows && (elsewhere || (this.acted && pathname + search !== this.seen))) {
      if (this.seen.split("?")[0] === location.pathname) this.replace({}, "", this.seen);
      this.push(state, "", url);
      this.begun = true;
    } else {
      this.replace(state, "", url);
    }
    this.emptied ||= this.begun && !search;
    if (elsewhere) {
      this.acted = this.emptied = false;
      this.settle();
    }
  }

  wentBack(event) {
    if (this.address() === this.seen && !this.begun) return; // to another place on the page
    event.stopImmediatePropagation();
    location.reload();
  }
}

/** An address without the texts that no server would read from it; the session has them. */
function withoutLongValues(whole) {
  const url = new URL(whole, location.href);
  if (url.search.length <= LONGEST_VALUE) return whole;
  for (const part of url.search.slice(1).split("&")) {
    if (part.length > LONGEST_VALUE) url.searchParams.delete(decodeURIComponent(part.split("=")[0]));
  }
  return url.href;
}

/** On a narrow screen the menu goes once a page is chosen, and is not there again after the next visit. */
class Menu {
  constructor() {
    document.addEventListener("click", (event) => {
      const narrow = window.innerWidth <= NARROW;
      if (narrow && event.target.closest?.(MENU_LINK)) document.querySelector(CLOSE_MENU)?.click();
    });
    window.addEventListener("pagehide", () => {
      if (window.innerWidth > NARROW) return;
      for (const key of Object.keys(localStorage)) {
        if (key.startsWith("stSidebarCollapsed")) localStorage.removeItem(key);
      }
    });
  }
}

/** The key P sets everything in large type, for a projector, and back again; another visit begins as this one ended. */
class LargeType {
  constructor() {
    this.set(localStorage.getItem(LARGE) === "on");
    document.addEventListener("keydown", (event) => {
      const types = event.target.closest?.("input, textarea, select, [contenteditable], [role=grid]");
      if (event.key.toLowerCase() !== "p" || types || event.ctrlKey || event.metaKey || event.altKey) return;
      this.set(!this.on);
      localStorage.setItem(LARGE, this.on ? "on" : "off");
    });
  }

  set(on) {
    this.on = on;
    document.documentElement.classList.toggle(LARGE, on);
  }
}

/** Streamlit's own English words, in the reader's language: wherever one of them comes onto the page, it is exchanged. */
class Words {
  constructor() {
    this.language = "en";
    this.exact = new Map();
    this.patterns = [];
    this.english = new WeakMap(); // of each element or text that was exchanged: what Streamlit wrote there
    this.observer = new MutationObserver((changes) => this.changed(changes));
  }

  speak({ language, words }) {
    if (language === this.language) return;
    this.language = language;
    this.exact = new Map(Object.entries(words).filter(([english]) => !english.includes("{0}")));
    this.patterns = Object.entries(words).filter(([english]) => english.includes("{0}"))
      .map(([english, own]) => [english.split("{0}"), own]);
    this.observer.observe(document.body, {
      childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: SPOKEN,
    });
    this.exchangeAll(document.body);
  }

  changed(changes) {
    for (const { type, target, attributeName, addedNodes } of changes) {
      if (type === "attributes") this.exchange(target, attributeName);
      else if (type === "characterData") this.exchange(target, "data");
      else addedNodes.forEach((node) => this.exchangeAll(node));
    }
  }

  exchangeAll(root) {
    if (root.nodeType === Node.TEXT_NODE) this.exchange(root, "data");
    if (root.nodeType !== Node.ELEMENT_NODE) return;
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (node) =>
      node.matches?.(OWN) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    for (let node = root; node; node = walker.nextNode()) {
      if (node.nodeType === Node.TEXT_NODE) this.exchange(node, "data");
      else for (const name of SPOKEN) if (node.hasAttribute(name)) this.exchange(node, name);
    }
  }

  /** One attribute of an element, or the text of a text node. */
  exchange(node, name) {
    const element = name === "data" ? node.parentElement : node;
    const now = name === "data" ? node.data : node.getAttribute(name);
    if (!element || !now || now.length > LONGEST || element.closest(OWN)) return;
    // A word of the sentence may be one of Streamlit's, such as "Open"; nobody's sentence has "Add: Open".
    const text = name === "data" && element.closest(OWN_TEXT) && !element.closest(BOTH);
    if (text && !this.patterns.some(([[start]]) => start && now.startsWith(start))) return;
    const before = this.english.get(node)?.[name];
    const english = before && before.own === now ? before.english : now;
    const own = this.inLanguage(english);
    if (own === now) return;
    this.english.set(node, { ...this.english.get(node), [name]: { english, own } });
    if (name === "data") node.data = own;
    else node.setAttribute(name, own);
  }

  inLanguage(english) {
    const own = this.exact.get(english);
    if (own) return own;
    // "Search: …" is a button of the table whose name follows.
    const [name, ...rest] = english.split(": ");
    if (rest.length && this.exact.has(name)) return [this.exact.get(name), ...rest].join(": ");
    for (const [[start, end], template] of this.patterns) {
      if (english.startsWith(start) && english.endsWith(end) && english.length > start.length + end.length) {
        return template.replace("{0}", english.slice(start.length, english.length - end.length));
      }
    }
    return english;
  }
}

/** A text is taken over while it is typed, after a pause, and at once with Enter; Shift and Enter begin a new line.
 *
 * Streamlit's own box for several lines takes its text over with Ctrl and Enter only, so that is what it is sent.
 */
class LiveText {
  constructor() {
    for (const kind of ["input", "compositionend"]) {
      document.addEventListener(kind, (event) => {
        const box = event.target.closest?.(TEXT);
        if (!box) return;
        clearTimeout(this.pause);
        // Between two keys of an input method the text is not yet what is meant.
        if (kind === "input" && event.isComposing) return;
        this.pause = setTimeout(() => this.take(box), PAUSE);
      });
    }
    document.addEventListener("keydown", (event) => {
      const plain = !event.shiftKey && !event.ctrlKey && !event.metaKey && !event.altKey;
      if (event.key !== "Enter" || !plain || event.isComposing || !event.target.matches?.(TEXT)) return;
      event.preventDefault();
      event.stopPropagation();
      this.take(event.target);
    }, true);
  }

  take(box) {
    clearTimeout(this.pause);
    const key = { key: "Enter", code: "Enter", keyCode: 13, ctrlKey: true, bubbles: true, cancelable: true };
    if (box.isConnected) box.dispatchEvent(new KeyboardEvent("keydown", key));
  }
}

/** Says in the names at the top which page is shown: a style sheet reads both, since Streamlit draws the names itself. */
function markPage({ page, group }) {
  const { dataset, style } = document.documentElement;
  const name = JSON.stringify(page);
  // Telling the browser again would style the whole page anew.
  if (dataset.attnvizGroup === String(group) && style.getPropertyValue("--attnviz-page") === name) return;
  dataset.attnvizGroup = group;
  style.setProperty("--attnviz-page", name);
}

class Shell {
  constructor() {
    this.words = new Words();
    this.ways = new Ways();
    this.menu = new Menu();
    this.largeType = new LargeType();
    this.liveText = new LiveText();
  }
}

export default mounted(new WeakMap(), () => ({
  update(data) {
    window.attnvizShell ??= new Shell();
    if (!data) return;
    window.attnvizShell.words.speak(data);
    markPage(data);
  },
  destroy() {},
}));
