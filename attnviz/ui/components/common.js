// What the components share. It stands in front of each component's own file, so the browser gets one module of each.
// All text from outside reaches the page through textContent or a canvas; nothing is ever parsed as HTML.

/* global SCALES, SIGNED_SCALES */

/** Creates an element; `props` are properties, except `data-` and `aria-` attributes and `role`. */
function make(tag, className, props = {}, children = []) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(props)) {
    if (/^(data|aria)-|^role$/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Creates an element of an SVG drawing. */
function svg(tag, attributes = {}, children = []) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Numbers in [0, 1] from base64 of little-endian 16-bit steps of 1/65535. */
function decode(text) {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const steps = new Uint16Array(bytes.buffer, 0, bytes.length >> 1);
  return Float32Array.from(steps, (step) => step / 65535);
}

/** "0.42", in German "0,42"; three digits where two would say 0.00 about something that is not nothing. */
function number(weight) {
  const rounded = weight.toFixed(2);
  return local(rounded === "0.00" && weight >= 0.0005 ? weight.toFixed(3) : rounded);
}

/** A number with a real minus and the decimal sign of the page's language. */
function local(text) {
  const sign = (0.5).toLocaleString(document.documentElement.lang || "en").charAt(1);
  return text.replace("-", "−").replace(".", sign);
}

/** "{0} of {1}" with the values in their places. */
function fill(template, ...values) {
  return template.replace(/\{(\d)\}/g, (_, index) => values[index]);
}

/** The colours of the theme that the page has now. */
function readTheme(element) {
  const style = getComputedStyle(element);
  const value = (name, other) => style.getPropertyValue(name).trim() || other;
  const background = value("--st-background-color", "#ffffff");
  const [red, green, blue] = toRgb(background);
  const dark = 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  return {
    name: dark ? "dark" : "light",
    background,
    text: value("--st-text-color", dark ? "#e8eaed" : "#1b1f24"),
    line: value("--st-border-color", dark ? "#323a44" : "#d5dae1"),
    accent: value("--st-primary-color", "#2b5f9e"),
    font: value("--st-font", "system-ui, sans-serif"),
    scale: SCALES[dark ? "dark" : "light"],
    signedScale: SIGNED_SCALES[dark ? "dark" : "light"],
  };
}

function toRgb(colour) {
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = colour; // the browser reads any notation and gives back #rrggbb or rgba(…)
  const hex = context.fillStyle;
  if (hex.startsWith("#")) return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
  return hex.match(/[\d.]+/g).slice(0, 3).map(Number);
}

/** How light a colour is, in [0, 1] (WCAG 2.2, "relative luminance"); its channels are in 0 … 255. */
function luminance(rgb) {
  const [red, green, blue] = rgb.map((channel) => {
    const value = channel / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** The scale as 256 pixels in the byte order of ImageData. */
function lookup(colours) {
  const table = new Uint8ClampedArray(256 * 4);
  const stops = colours.map(toRgb);
  for (let step = 0; step < 256; step++) {
    const position = (step / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(position), stops.length - 2);
    for (let channel = 0; channel < 3; channel++) {
      table[step * 4 + channel] = stops[low][channel] + (position - low) * (stops[low + 1][channel] - stops[low][channel]);
    }
    table[step * 4 + 3] = 255;
  }
  return new Uint32Array(table.buffer);
}

/** The label, or as much of it as fits with an ellipsis; never half of a surrogate pair. */
function shorten(context, label, room) {
  if (context.measureText(label).width <= room) return label;
  const characters = Array.from(label);
  while (characters.length > 1 && context.measureText(`${characters.join("")}…`).width > room) characters.pop();
  return `${characters.join("")}…`;
}

/** The 2D context of a canvas of this height and width in CSS pixels, sharp on screens with `ratio` pixels for each. */
function openCanvas(canvas, width, height, ratio) {
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/**
 * A drawing in an element of the page. A component says in `build` what its elements are and returns their root, in
 * `receive` what becomes of new data. It is drawn again when `this.sized`, the root unless `build` names another element,
 * becomes wider or narrower than `draw` met it.
 */
class Figure {
  constructor(parent) {
    this.ending = new AbortController(); // ends what listens outside the root
    this.drawnWidth = 0; // of `this.sized`, in CSS pixels
    this.root = this.build();
    this.sized ??= this.root;
    parent.append(this.root);
    this.watch = new ResizeObserver(() => this.resized());
    this.watch.observe(this.sized);
  }

  destroy() {
    this.watch.disconnect();
    this.ending.abort();
    this.root.remove();
  }

  update(data, trigger) {
    if (!data) return;
    const before = this.data;
    const theme = readTheme(this.root);
    const themeChanged = this.theme?.name !== theme.name;
    Object.assign(this, { data, theme, trigger });
    this.receive(before, before?.picture !== data.picture || themeChanged, themeChanged);
    this.root.dataset.attnvizRun = data.run;
  }

  resized() {
    if (this.data && Math.abs(this.sized.clientWidth - this.drawnWidth) > 1) this.draw();
  }

  /** Listens to the window or the document for as long as the figure is there. */
  listenTo(target, event, call, capture = false) {
    target.addEventListener(event, call, { capture, signal: this.ending.signal });
  }
}

/** Tells the browser the page's language, where it is another: telling it again would style the whole page anew. */
function setLanguage(language) {
  const root = document.documentElement;
  if (language && root.lang !== language) root.lang = language;
}

/** One drawing of a component per element that it lives in; Streamlit calls again whenever data or theme change. */
function mounted(instances, create) {
  return (component) => {
    let instance = instances.get(component.parentElement);
    if (!instance) {
      instance = create(component.parentElement);
      instance.calls = 0;
      instances.set(component.parentElement, instance);
    }
    const call = ++instance.calls;
    setLanguage(component.data?.pageLanguage);
    instance.update(component.data, component.setTriggerValue);
    return () => {
      // Streamlit also ends a call that a newer one has overtaken; only the last one takes the drawing with it.
      if (instance.calls !== call) return;
      instances.delete(component.parentElement);
      instance.destroy();
    };
  };
}
