// What the browser does around every page, begun once: it outlives the pages, for Streamlit only exchanges their contents.

/* global mounted */

const NARROW = 768; // up to this width Streamlit lays its menu over the page
const LARGE = "attnviz-large-type"; // a class of the whole document, and where the choice is stored
const MENU_LINK = '[data-testid="stSidebarNavLink"]';
const CLOSE_MENU = '[data-testid="stSidebarCollapseButton"] button';

/** Back and Forward show what was seen: the address holds all of it, so the page is opened anew from there.
 *
 * Streamlit itself takes the reader to the page alone. It also takes the old page's choices out of the address, as a stop
 * of its own, just before it writes the new page there: what the address was when the reader last did something, or when
 * the page came to rest, is put back then.
 */
class Ways {
  constructor() {
    this.seen = this.address();
    this.acted = true; // whether the reader did something since this page was opened
    this.before = null; // the address before the page wrote another one, as long as that is no stop yet
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
    this.settle();
  }

  settle() {
    const now = this.address();
    // A page that writes into the address what it opens with is no stop on the way back; what a reader did is one.
    if (this.before !== null && this.before !== now && this.acted) {
      this.replace({}, "", this.before);
      this.push({}, "", now);
    }
    this.before = null;
    this.seen = now;
  }

  written(state, url) {
    if (new URL(url, location.href).pathname === location.pathname) {
      this.before ??= this.address();
      this.replace(state, "", url);
      return;
    }
    if (this.seen.split("?")[0] === location.pathname) this.replace({}, "", this.seen);
    this.push(state, "", url);
    this.acted = false;
    this.before = null;
    this.seen = this.address();
  }

  wentBack(event) {
    if (this.address() === this.seen) return; // to another place on the page
    event.stopImmediatePropagation();
    location.reload();
  }
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

class Shell {
  constructor() {
    this.ways = new Ways();
    this.menu = new Menu();
    this.largeType = new LargeType();
  }
}

export default mounted(new WeakMap(), () => ({
  update() {
    window.attnvizShell ??= new Shell();
  },
  destroy() {},
}));
