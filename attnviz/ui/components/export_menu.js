// "Copy link" and "Export". A file is asked for with the trigger `want` and comes back in `data.file`; PNG comes as SVG
// and is drawn here, with the reader's own fonts. What is no attention map is drawn as it stands on the page.

/* global PAGE_PICTURE */

const SHARP = 3; // pixels of the PNG for each of the picture
const SHARP_PAGE = 2; // the same, of a whole page
const MOST_PIXELS = 16000; // of width or height that browsers draw
const FRAME_HEIGHT = 640; // pixels of a frame: a layer's heads in the column of an article
const SHOWN = 2500; // milliseconds that "Copied" stays

class Take {
  constructor(parent) {
    this.copyText = make("span");
    this.copy = make("button", "attnviz-take-button", { type: "button" }, [icon("link"), this.copyText]);
    this.exportText = make("span");
    this.export = make("button", "attnviz-take-button", { type: "button", "aria-expanded": "false" }, [
      icon("save"),
      this.exportText,
    ]);
    this.menu = make("div", "attnviz-take-menu", { role: "group", hidden: true });
    this.status = make("div", "attnviz-take-status", { role: "status" });
    this.root = make("div", "attnviz-take", {}, [this.copy, this.export, this.menu, this.status]);
    parent.append(this.root);
    this.copy.addEventListener("click", () => this.copyLink());
    this.export.addEventListener("click", () => this.open(this.menu.hidden));
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.menu.hidden) return;
      this.open(false);
      this.export.focus();
    });
    this.root.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !this.root.contains(event.relatedTarget)) this.open(false);
    });
    this.outside = (event) => this.root.contains(event.target) || this.open(false);
    document.addEventListener("pointerdown", this.outside);
  }

  destroy() {
    document.removeEventListener("pointerdown", this.outside);
    clearTimeout(this.fade);
    this.root.remove();
  }

  update(data, trigger) {
    if (!data) return;
    this.trigger = trigger;
    this.data = data;
    this.copyText.textContent = data.texts.copy;
    this.exportText.textContent = data.texts.export;
    this.export.hidden = !data.groups.length;
    this.menu.setAttribute("aria-label", data.texts.export);
    this.write();
    const { file } = data;
    if (file && file.call === this.call) {
      this.call = null; // the same answer may come again
      this.receive(file);
    }
  }

  /** The formats, a line for each kind of picture; left alone while they stay the same, for one may have the focus. */
  write() {
    const written = JSON.stringify([this.data.groups, this.data.texts]);
    if (written === this.written) return;
    this.written = written;
    this.menu.replaceChildren();
    for (const { title, style, formats } of this.data.groups) {
      this.menu.append(make("span", "attnviz-take-title", { textContent: title }));
      const buttons = formats.map((format) => {
        const button = make("button", "attnviz-take-format", {
          type: "button",
          textContent: format === "npz" ? format : format.toUpperCase(),
          "aria-label": `${title}: ${format}`,
        });
        button.addEventListener("click", () => this.want(format, style));
        return button;
      });
      this.menu.append(make("span", "attnviz-take-formats", {}, buttons));
    }
    const { frame, copy_frame: copyFrame } = this.data.texts;
    const button = make("button", "attnviz-take-format attnviz-take-frame", { type: "button", textContent: copyFrame });
    button.addEventListener("click", () => this.copyFrame());
    this.menu.append(make("span", "attnviz-take-title", { textContent: frame }), button);
  }

  open(open) {
    this.menu.hidden = !open;
    this.export.setAttribute("aria-expanded", open);
    // Under the right end of the buttons, or as far to the right of that as the screen's left edge asks for.
    this.menu.style.right = "0";
    if (open) this.menu.style.right = `${Math.min(0, this.menu.getBoundingClientRect().left - 8)}px`;
  }

  say(text, stays = false) {
    clearTimeout(this.fade);
    this.status.textContent = text;
    if (text && !stays) this.fade = setTimeout(() => this.say(""), Math.max(SHOWN, text.length * 60));
  }

  // A link ----------------------------------------------------------------------------------------------------------

  async copyLink() {
    const { texts, longest } = this.data;
    const link = window.location.href;
    const copied = (await this.clipboard(link)) || typed(link);
    if (!copied) this.say(texts.by_hand, true);
    else this.say(link.length > longest ? texts.long : texts.copied);
  }

  /** HTML that shows this view in a frame; `&` and quotes of the address are written as HTML has them. */
  async copyFrame() {
    const { texts } = this.data;
    const address = new URL(window.location.href);
    address.searchParams.set("embed", "true");
    const source = address.href.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
    const title = document.title.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
    const code = `<iframe src="${source}" title="${title}" width="100%" height="${FRAME_HEIGHT}" style="border: 0" loading="lazy"></iframe>`;
    const copied = (await this.clipboard(code)) || typed(code);
    if (copied) this.say(texts.copied_frame);
    else window.prompt(texts.copy_frame, code);
  }

  /** Browsers have a clipboard for pages that came by https or from this machine. */
  async clipboard(link) {
    try {
      await navigator.clipboard.writeText(link);
      return true;
    } catch {
      return false;
    }
  }

  // A file ----------------------------------------------------------------------------------------------------------

  want(format, style) {
    if (style === "page" && format === "png") return this.savePage();
    this.call = `${Date.now()}-${Math.random()}`;
    this.say(fill(this.data.texts.making, format.toUpperCase()), true);
    return this.trigger("want", { format, style, call: this.call });
  }

  /** The address of a PNG of the page's figures. */
  async page() {
    const figures = document.querySelector(".st-key-figures");
    return canvasOf(await PAGE_PICTURE(figures, this.data.page, readTheme(this.root)), SHARP_PAGE);
  }

  async savePage() {
    const { texts, page } = this.data;
    this.say(fill(texts.making, "PNG"), true);
    try {
      await nextFrame(); // so that this can be read meanwhile
      this.save(await pngOf(await this.page()), `${page.name}.png`);
    } catch {
      this.say(texts.page_failed, true);
    }
  }

  save(blob, name) {
    const address = URL.createObjectURL(blob);
    make("a", "", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    this.say(fill(this.data.texts.saved, name));
  }

  async receive(file) {
    const { texts, page } = this.data;
    if (file.error) return this.say(file.error, true);
    const bytes = Uint8Array.from(atob(file.content), (char) => char.charCodeAt(0));
    let blob = new Blob([bytes], { type: file.media });
    try {
      if (file.format === "png") blob = await drawn(blob);
      if (file.picture) {
        const source = (await this.page()).toDataURL();
        const alt = page.title.replace(/[&<>"]/g, (char) => `&#${char.codePointAt(0)};`);
        blob = new Blob([(await blob.text()).replace(file.picture, () => `<img alt="${alt}" src="${source}">`)], {
          type: file.media,
        });
      }
    } catch {
      return this.say(file.picture ? texts.page_failed : texts.failed, true);
    }
    return this.save(blob, file.name);
  }
}

/** For pages that came by http from another machine: what is selected in a field can still be copied. */
function typed(text) {
  const before = document.activeElement;
  const field = make("textarea", "attnviz-take-field", { value: text, "aria-hidden": "true" });
  document.body.append(field);
  field.select();
  let copied = false;
  try {
    copied = document.execCommand("copy");
  } catch {
    // The address bar still has it, and the reader is told.
  }
  field.remove();
  before?.focus();
  return copied;
}

/** The PNG of an SVG. */
async function drawn(picture) {
  const address = URL.createObjectURL(picture);
  try {
    return await pngOf(await canvasOf(address, SHARP));
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** A canvas with the picture at an address, so many pixels for each of its own. */
async function canvasOf(address, sharp) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const scale = Math.min(sharp, MOST_PIXELS / Math.max(image.naturalWidth, image.naturalHeight, 1));
  const canvas = make("canvas");
  canvas.width = Math.round(image.naturalWidth * scale);
  canvas.height = Math.round(image.naturalHeight * scale);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

async function pngOf(canvas) {
  const png = await new Promise((done) => canvas.toBlob(done, "image/png"));
  if (!png) throw new Error("too large");
  return png;
}

function nextFrame() {
  return new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
}

/** Two drawings of a few lines: a chain's link, and an arrow into a tray. */
function icon(name) {
  const paths = {
    link: "M6.5 9.5l3-3M7 4.6l1.3-1.3a3 3 0 0 1 4.3 4.3L11.3 9M9 11.4l-1.3 1.3a3 3 0 0 1-4.3-4.3L4.7 7",
    save: "M8 2.5v7.5M4.8 7L8 10.2 11.2 7M2.8 11.5v2h10.4v-2",
  };
  const drawing = { viewBox: "0 0 16 16", class: "attnviz-take-icon", "aria-hidden": "true" };
  return svg("svg", drawing, [svg("path", { d: paths[name] })]);
}

export default mounted(new WeakMap(), (parent) => new Take(parent));
