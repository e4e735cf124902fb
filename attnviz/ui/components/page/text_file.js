// A box for texts takes files as well, and its tab keeps what is too long for an address.

const KEPT = "attnviz-text-"; // what the tab keeps texts under, with their names
const ORDER = "attnviz-texts"; // their names, the latest last
const OVER = "attnviz-file-over"; // a class of the box while a file is held over it
const WAIT = 500; // ms until a box is looked at again, and that other tabs have to answer
const TRIES = 10; // how often a text that is missing is looked for
const TABS = "attnviz-texts"; // where the tabs of this browser ask each other for a text that a link leaves out
const PICTURE = /^image\//;

class TextFile {
  constructor(parent) {
    this.input = make("input", "", { type: "file", hidden: true });
    this.input.addEventListener("change", () => this.takeAll(this.input.files));
    this.button = make("button", "attnviz-file", { type: "button", hidden: true });
    this.button.addEventListener("click", () => this.input.click());
    this.note = make("p", "attnviz-file-note", { role: "status" });
    this.root = make("div", "attnviz-file-root", {}, [this.input, this.button, this.note]);
    parent.append(this.root);
    const signal = { signal: (this.ending = new AbortController()).signal };
    // The whole window listens: Streamlit may draw the box itself anew, and a file that misses it must not replace the page.
    for (const kind of ["dragover", "dragleave", "drop"]) {
      document.addEventListener(kind, (event) => this.dragged(event), signal);
    }
    document.addEventListener("paste", (event) => this.pasted(event), { ...signal, capture: true });
    document.addEventListener("input", (event) => event.target === this.box() && this.say(), signal);
    this.tabs = new BroadcastChannel(TABS);
    this.tabs.addEventListener("message", ({ data }) => (data.text === undefined ? this.answer(data.name) : this.take(data)));
  }

  destroy() {
    this.ending.abort();
    this.tabs.close();
    clearTimeout(this.waiting);
    this.root.remove();
  }

  update(data) {
    if (!data) return;
    this.data = data;
    this.input.accept = [...data.types, "text/plain"].join(",");
    this.button.hidden = !data.button;
    this.button.title = data.texts.choose;
    this.button.setAttribute("aria-label", data.texts.choose);
    if (data.missing) this.bringBack(data.name);
    else if (data.name) this.keep(data.name);
    if (!this.error) this.say();
  }

  box() {
    return document.querySelector(`.st-key-${this.data?.box} textarea`);
  }

  /** Says what went wrong, until the text changes; else what is to know about a long text. */
  say(error = "", name = "") {
    this.error = error;
    const { texts, missing } = this.data;
    const kind = missing && this.gone && !this.box()?.value ? "gone" : this.data.name && !missing ? "long" : "";
    this.note.textContent = error ? fill(texts[error], name) : kind ? texts[kind] : "";
    this.note.classList.toggle("attnviz-file-error", Boolean(error));
  }

  // Files and the clipboard --------------------------------------------------------------------------------------------

  dragged(event) {
    if (!event.dataTransfer?.types.includes("Files") || event.defaultPrevented) return;
    event.preventDefault();
    const box = this.box();
    const over = box?.closest(`.st-key-${this.data.box}_box`)?.contains(event.target) ?? false;
    box?.classList.toggle(OVER, over && event.type === "dragover");
    if (over && event.type === "drop") this.takeAll(event.dataTransfer.files);
    else if (!over) event.dataTransfer.dropEffect = "none";
  }

  async takeAll(files) {
    const chosen = [...files];
    this.input.value = ""; // so that the same file can be taken again
    if (chosen.length > 1) this.say("several");
    if (chosen.length !== 1) return;
    const [file] = chosen;
    const { text, error } = await readText(file, this.data.most);
    if (error) this.say(error, file.name);
    else this.put(text);
  }

  pasted(event) {
    const box = this.box();
    if (!box || event.target !== box) return;
    const { types, files } = event.clipboardData;
    const text = event.clipboardData.getData("text/plain");
    if (!types.includes("text/plain") && [...files].length) {
      event.preventDefault();
      if (PICTURE.test(files[0].type)) this.say("pasted picture");
      else this.takeAll(files);
    } else if (bytes(text) + bytes(box.value) > this.data.most) {
      event.preventDefault();
      this.say("paste");
    }
  }

  /** Puts a text into the box as if it were typed. */
  put(text) {
    const box = this.box();
    if (!box) return;
    // React has its own setter on the box and would not notice a value that is set through it.
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true }));
    window.attnvizShell.liveText.take(box);
  }

  // What the tab keeps -------------------------------------------------------------------------------------------------

  keep(name) {
    clearTimeout(this.waiting);
    if (name === this.keptName) return;
    const text = this.box()?.value ?? "";
    if (textName(text) !== name) {
      // The box is not drawn yet, or was typed on meanwhile; then the next run brings another name.
      this.waiting = setTimeout(() => this.data.name === name && this.keep(name), WAIT);
      return;
    }
    this.keptName = name;
    try {
      const names = keptNames().filter((one) => one !== name);
      let total = text.length;
      const fitting = names.reverse().filter((one) => {
        total += sessionStorage.getItem(KEPT + one)?.length ?? 0;
        if (total > this.data.mostKept) sessionStorage.removeItem(KEPT + one);
        return total <= this.data.mostKept;
      });
      sessionStorage.setItem(KEPT + name, text);
      sessionStorage.setItem(ORDER, JSON.stringify([...fitting.reverse(), name]));
    } catch {
      // A browser that may keep nothing forgets the text with a reload, and says so then.
    }
  }

  bringBack(name) {
    if (name === this.asked) return;
    this.asked = name;
    this.tryAgain(name, TRIES);
  }

  /** Puts back the text that is missing, from this tab or from another one, until the server has it.
   *
   * Anything may come in between: the box is being drawn anew, so is the page in the tab that has the text.
   */
  tryAgain(name, times) {
    clearTimeout(this.waiting);
    if (!this.data.missing || this.data.name !== name) return;
    const box = this.box();
    const text = keptText(name);
    if (box?.value) {
      if (textName(box.value) === name) window.attnvizShell.liveText.take(box);
    } else if (box && text !== null) {
      this.put(text);
    } else if (box) {
      if (times < TRIES) {
        this.gone = true;
        this.say();
      }
      this.tabs.postMessage({ name });
    }
    if (times) this.waiting = setTimeout(() => this.tryAgain(name, times - 1), WAIT);
  }

  /** Another tab asks for a text that this one may have. */
  answer(name) {
    const text = keptText(name);
    if (text !== null) this.tabs.postMessage({ name, text });
  }

  /** Another tab has the text that was asked for. */
  take({ name, text }) {
    const box = this.box();
    if (!box || box.value || name !== this.asked || !this.data.missing || textName(text) !== name) return;
    this.put(text);
  }
}

function keptText(name) {
  try {
    return sessionStorage.getItem(KEPT + name);
  } catch {
    return null; // likewise
  }
}

function keptNames() {
  try {
    return JSON.parse(sessionStorage.getItem(ORDER) ?? "[]");
  } catch {
    return [];
  }
}

/** The text of a file, or why it has none. */
async function readText(file, most) {
  if (PICTURE.test(file.type)) return { error: "picture" };
  if (file.size > most) return { error: "large" };
  let content;
  try {
    content = new Uint8Array(await file.arrayBuffer());
  } catch {
    return { error: "unread" };
  }
  if (!content.length) return { error: "empty" };
  const [first, second] = content;
  const zeros = content.reduce((count, byte) => count + (byte === 0), 0);
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return { error: "UTF-16" };
  if (zeros) return { error: zeros > content.length / 3 && zeros <= content.length / 2 ? "UTF-16" : "binary" };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(content).replace(/\r\n?/g, "\n") };
  } catch {
    // Text in an older encoding has no control characters but those of lines and tabs.
    const controls = content.reduce((count, byte) => count + (byte < 32 && ![9, 10, 12, 13].includes(byte)), 0);
    return { error: controls ? "binary" : "encoding" };
  }
}

function bytes(text) {
  return text.length * 3 < 1000 ? text.length : new TextEncoder().encode(text).length;
}

/** The same as `text_name` on the server: the number of characters and the checksum CRC-32 of the text in UTF-8. */
function textName(text) {
  let sum = 0xffffffff;
  for (const byte of new TextEncoder().encode(text)) sum = CRC[(sum ^ byte) & 0xff] ^ (sum >>> 8);
  const characters = text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
  return `${characters}-characters-${((sum ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0")}`;
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? 0xedb88320 ^ (sum >>> 1) : sum >>> 1;
  return sum;
});

export default mounted(new WeakMap(), (parent) => new TextFile(parent));
