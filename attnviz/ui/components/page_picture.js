// A picture of what a page shows: its figures with all they are drawn with, as SVG for an <img>, so that nothing but the
// browser is needed to draw it. Each element is copied with those of its computed styles that are not a browser's own;
// canvases become images, fonts come along, and what is only for using the page stays out.

const PAGE_PICTURE = (() => {
  const LEFT_OUT = [
    "[data-testid=stExpander]", "[data-testid=stButton]", "[data-testid=stDownloadButton]", "[data-testid=stPageLink]",
    "[data-testid=stElementToolbar]", "[data-testid=stIconMaterial]", "[data-testid=stTooltipIcon]",
    "[data-testid=stTooltipHoverTarget] > svg", ".attnviz-take", ".attnviz-tip", ".attnviz-growing-button", ".modebar-container", ".katex-mathml",
    ".hoverlayer", "script", "style", "iframe",
  ].join(", "); // prettier-ignore
  const DRAWN = [
    "fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "opacity",
    "display", "visibility", "font-family", "font-size", "font-weight", "font-style", "text-anchor", "dominant-baseline",
    "transform", "transform-origin", "shape-rendering", "overflow", "position", "left", "top", "width", "height",
  ]; // prettier-ignore
  const NOT_SEEN =
    /^(-webkit-|transition|animation|cursor|pointer-events|user-select|inline-size|block-size|(min|max)-(inline|block)|inset-|(margin|padding|border)-(inline|block|start|end)|scroll|overscroll|caret|will-change|view-transition|contain|content-visibility|offset|zoom|app-region|d$|x$|y$|r$|cx|cy|rx|ry)/;
  // What an element may have from the one around it is written down also where it is a browser's own.
  const INHERITED =
    /^(color$|font|line-height|letter-spacing|word-|text-(align|indent|transform|wrap|decoration)|white-space|visibility|overflow-wrap|hyphens|border-(collapse|spacing)|list-style|caption-side|direction|tab-size)/;
  const NOT_XML = /[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;
  const XHTML = "http://www.w3.org/1999/xhtml";
  const MARGIN = 24; // CSS pixels around everything

  /** What a browser gives each kind of element without any style sheet. */
  class Defaults {
    constructor() {
      this.frame = document.createElement("iframe");
      this.frame.style.cssText = "position: fixed; width: 0; height: 0; visibility: hidden";
      document.body.append(this.frame);
      this.known = new Map();
    }

    of(tag) {
      if (!this.known.has(tag)) {
        const page = this.frame.contentDocument;
        const element = page.body.appendChild(page.createElement(tag));
        const styles = this.frame.contentWindow.getComputedStyle(element);
        this.known.set(tag, new Map([...styles].map((name) => [name, styles.getPropertyValue(name)])));
      }
      return this.known.get(tag);
    }

    end() {
      this.frame.remove();
    }
  }

  class Copy {
    constructor(defaults) {
      this.defaults = defaults;
      this.classes = new Map(); // declarations -> the name of their class
      this.rules = [];
      this.families = new Set();
    }

    /** The class with an element's looks, and with those of what stands before and after its content. */
    looks(element, tag, oneLine = false) {
      const whole = oneLine ? "white-space:nowrap;text-wrap-mode:nowrap;" : "";
      const declared = this.declared(getComputedStyle(element), this.defaults.of(tag)) + whole;
      const around = ["::before", "::after"].map((part) => {
        const styles = getComputedStyle(element, part);
        const empty = ["none", "normal", ""].includes(styles.content);
        return empty ? "" : `content:${styles.content};${this.declared(styles, this.defaults.of("span"))}`;
      });
      const key = [declared, ...around].join("|");
      if (!this.classes.has(key)) {
        const name = `p${this.classes.size}`;
        this.classes.set(key, name);
        this.rules.push(`.${name}{${declared}}`);
        around.forEach((text, place) => text && this.rules.push(`.${name}::${place ? "after" : "before"}{${text}}`));
      }
      return this.classes.get(key);
    }

    declared(styles, usual) {
      this.families.add(styles.fontFamily);
      let text = /table/.test(styles.display) ? `border-spacing:${styles.borderSpacing};` : ""; // is not among the names
      for (const name of styles) {
        if (NOT_SEEN.test(name) || name.startsWith("--")) continue;
        let value = styles.getPropertyValue(name);
        if (name.startsWith("overflow") && /auto|scroll/.test(value)) value = "hidden";
        if (usual.get(name) !== value || INHERITED.test(name)) text += `${name}:${value};`;
      }
      return text;
    }

    /** The copy of a node; `oneLine` is whether it stands within a line that must not break. */
    of(node, oneLine = false) {
      if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.data.replace(NOT_XML, "\ufffd"));
      if (node.nodeType !== Node.ELEMENT_NODE) return null;
      if (getComputedStyle(node).display === "none") return null;
      if (node.namespaceURI !== XHTML) return this.drawing(node);
      if (node.localName === "canvas") return this.image(node, node.toDataURL());
      const written = node.matches("input, textarea, select");
      const copy = document.createElementNS(XHTML, written ? "div" : node.localName);
      copy.setAttribute("class", this.looks(node, copy.localName, (oneLine &&= isInline(node)) || isLine(node)));
      if (node.localName === "img") copy.setAttribute("src", node.src.startsWith("data:") ? node.src : "");
      for (const name of ["colspan", "rowspan", "dir", "lang", "start"]) {
        if (node.hasAttribute(name)) copy.setAttribute(name, node.getAttribute(name));
      }
      if (!written) this.inside(node, copy, oneLine || isLine(node));
      else if (!["checkbox", "radio", "range"].includes(node.type)) {
        copy.textContent = node.selectedOptions ? (node.selectedOptions[0]?.text ?? "") : node.value;
      }
      return copy;
    }

    inside(node, copy, oneLine = false) {
      for (const child of node.childNodes) {
        const part = this.of(child, oneLine);
        if (part) copy.append(part);
      }
    }

    /** An element of an SVG drawing keeps what it says of itself, and gets what style sheets say of its looks. */
    drawing(node) {
      const copy = node.cloneNode(false);
      const styles = getComputedStyle(node);
      const outer = node.localName === "svg";
      this.families.add(styles.fontFamily);
      for (const name of DRAWN) {
        const sized = ["position", "left", "top", "width", "height", "overflow"].includes(name);
        const text = /^(font|text-anchor|dominant)/.test(name);
        if ((sized && !outer) || (text && !/^(text|tspan)$/.test(node.localName)) || name.startsWith("transform")) continue;
        copy.style.setProperty(name, styles.getPropertyValue(name));
      }
      copy.removeAttribute("class");
      this.inside(node, copy);
      return copy;
    }

    image(canvas, source) {
      const copy = document.createElementNS(XHTML, "img");
      copy.setAttribute("class", this.looks(canvas, "img"));
      copy.setAttribute("src", source);
      return copy;
    }

    /** The style sheets' fonts that are used and were loaded, with their files in them. */
    async fonts() {
      const used = [...this.families].join(",");
      const loaded = new Set([...document.fonts].filter((face) => face.status === "loaded").map(faceName));
      const rules = [...document.styleSheets].flatMap((sheet) => {
        try {
          return [...sheet.cssRules].filter((rule) => rule instanceof CSSFontFaceRule).map((rule) => [rule, sheet.href]);
        } catch {
          return []; // another site's sheet
        }
      });
      const wanted = rules.filter(([{ style }]) => {
        const family = style.getPropertyValue("font-family").replace(/["']/g, "");
        return used.includes(family) && loaded.has(faceName({ family, weight: style.fontWeight || "400", style: style.fontStyle || "normal" }));
      });
      const faces = await Promise.all(wanted.map(([rule, href]) => embeddedFace(rule, href)));
      return faces.join("");
    }
  }

  function isInline(element) {
    return getComputedStyle(element).display.startsWith("inline");
  }

  /** Whether an element is one line of text, which a hair's breadth of another size must not break. */
  function isLine(element) {
    const { lineHeight, fontSize, display } = getComputedStyle(element);
    const line = parseFloat(lineHeight) || 1.3 * parseFloat(fontSize);
    return !display.startsWith("table") && element.clientHeight > 0 && element.clientHeight < 1.7 * line;
  }

  function faceName({ family, weight, style }) {
    const number = { normal: "400", bold: "700" }[weight] ?? weight;
    return `${family.replace(/["']/g, "")}|${number}|${style}`;
  }

  async function embeddedFace(rule, href) {
    const address = /url\(["']?([^"')]+)["']?\)/.exec(rule.style.getPropertyValue("src"))?.[1];
    if (!address) return "";
    try {
      const file = await (await fetch(new URL(address, href ?? document.baseURI))).blob();
      const source = await new Promise((done) => {
        const reader = new FileReader();
        reader.onload = () => done(reader.result);
        reader.readAsDataURL(file);
      });
      const { style } = rule;
      return `@font-face{font-family:${style.getPropertyValue("font-family")};font-weight:${style.fontWeight || 400};font-style:${style.fontStyle || "normal"};src:url(${source})}`;
    } catch {
      return ""; // then another font draws it
    }
  }

  /** A line of text over or under the figures, as wide as they are. */
  function line(text, looks, width) {
    const element = document.createElementNS(XHTML, "div");
    element.textContent = text.replace(NOT_XML, "\ufffd");
    element.style.cssText = `width:${width}px;${looks};overflow-wrap:anywhere;margin:0;`;
    element.hidden = false;
    const shown = document.body.appendChild(element.cloneNode(true));
    const height = shown.offsetHeight;
    shown.remove();
    return { element, height };
  }

  /** The address of an SVG of a part of the page, with a title over it and a line on what it is below. */
  return async function pagePicture(root, { title, facts }, theme) {
    const left = [...root.querySelectorAll(LEFT_OUT)].map((element) => [element, element.style.cssText]);
    const defaults = new Defaults();
    const copy = new Copy(defaults);
    let figures, box;
    try {
      // Nothing is painted before all is as it was: the page does not flicker.
      for (const [element] of left) element.style.setProperty("display", "none", "important");
      box = root.getBoundingClientRect();
      figures = copy.of(root);
    } finally {
      for (const [element, looks] of left) element.style.cssText = looks;
      defaults.end();
    }
    const width = Math.ceil(box.width);
    const above = line(title, `font:600 18px ${theme.font};color:${theme.text}`, width);
    const below = line(facts.join(" · "), `font:13px ${theme.font};color:${theme.text};opacity:.75`, width);
    const height = Math.ceil(MARGIN + above.height + 12 + box.height + 12 + below.height + MARGIN);
    const page = document.createElementNS(XHTML, "div");
    page.setAttribute("lang", document.documentElement.lang); // chooses the font of Chinese characters
    page.style.cssText = `box-sizing:border-box;padding:${MARGIN}px;background:${theme.background};color:${theme.text};width:${width + 2 * MARGIN}px;height:${height}px`;
    const middle = document.createElementNS(XHTML, "div");
    middle.style.cssText = `margin:12px 0;width:${width}px;height:${Math.ceil(box.height)}px;overflow:hidden`;
    middle.append(figures);
    page.append(above.element, middle, below.element);
    const fonts = await copy.fonts();
    const drawing = svg("svg", { width: width + 2 * MARGIN, height, xmlns: "http://www.w3.org/2000/svg" });
    const styles = document.createElementNS(XHTML, "style");
    styles.textContent = `${fonts}${copy.rules.join("")}`;
    const foreign = svg("foreignObject", { x: 0, y: 0, width: "100%", height: "100%" }, [styles, page]);
    drawing.append(foreign);
    // A blob would forbid the canvas to give its pixels back.
    return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(drawing))}`;
  };
})();
