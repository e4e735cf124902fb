// What plays the story: buttons, a bar of time with a mark for each scene, speed, a link to the present view and its code.

const COPIED_FOR = 1800; // milliseconds in which a button says that the link is copied

class StoryControls {
  /** @param calls what the buttons do: play, go(by), scene(number), seek(time), rested, speed(value), address, code */
  constructor(calls) {
    this.calls = calls;
    const button = (name, action) => {
      const element = make("button", name, { type: "button" });
      element.addEventListener("click", action);
      return element;
    };
    this.back = button("attnviz-story-back", () => calls.go(-1));
    this.play = button("attnviz-story-play", () => calls.play());
    this.next = button("attnviz-story-next", () => calls.go(1));
    this.scrub = make("input", "attnviz-story-scrub", { type: "range", min: 0, step: 0.05, value: 0 });
    this.scrub.addEventListener("input", () => calls.seek(Number(this.scrub.value)));
    this.scrub.addEventListener("change", () => calls.rested());
    this.marks = make("div", "attnviz-story-marks");
    this.speed = make("select", "attnviz-story-speed");
    this.speed.addEventListener("change", () => calls.speed(Number(this.speed.value)));
    this.copy = button("attnviz-story-copy", () => this.copyLink());
    this.open = button("attnviz-story-qr", () => this.askForCode());
    this.help = make("div", "attnviz-story-help");
    this.extra = make("div", "attnviz-story-extra", {}, [this.speed, this.copy, this.open]);
    this.root = make("div", "attnviz-story-controls", {}, [
      make("div", "attnviz-story-bar", {}, [
        this.back, this.play, this.next, make("div", "attnviz-story-time", {}, [this.scrub, this.marks]), this.extra,
      ]),
      this.help,
    ]);
    this.code = make("div", "attnviz-story-code", { role: "dialog", "aria-modal": "true", hidden: true });
  }

  write(data, timeline) {
    this.texts = data.texts.controls;
    const { texts } = this;
    this.timeline = timeline;
    this.scrub.max = timeline.end;
    this.scrub.setAttribute("aria-label", texts.scrub);
    for (const [button, face, label] of [[this.back, "‹", texts.back], [this.next, "›", texts.next]]) {
      button.textContent = face;
      button.title = label;
      button.setAttribute("aria-label", label);
    }
    this.copy.textContent = texts.copy;
    this.open.textContent = texts.qr;
    this.help.textContent = texts.keys;
    this.speed.setAttribute("aria-label", texts.speed);
    this.speed.replaceChildren(...SPEEDS.map((speed) => make("option", "", { value: speed, textContent: `${speed === 0.5 ? "½" : speed}×`, selected: speed === 1 })));
    this.marks.replaceChildren(...timeline.lengths.map((length, scene) => {
      const mark = make("button", "", { type: "button", textContent: scene + 1, title: data.texts.scenes[scene].title });
      mark.style.flex = `${length} 1 0`;
      mark.style.setProperty("--moves", `${(100 * SCENE_SECONDS[scene]) / length}%`);
      mark.setAttribute("aria-label", `${fill(texts.scene, scene + 1, timeline.lengths.length)}: ${data.texts.scenes[scene].title}`);
      mark.addEventListener("click", () => this.calls.scene(scene));
      return mark;
    }));
    this.face(false);
  }

  face(playing) {
    this.play.textContent = playing ? "❚❚" : "▶";
    this.play.title = playing ? this.texts.pause : this.texts.play;
    this.play.setAttribute("aria-label", this.play.title);
  }

  /** The bar shows a time of a scene. */
  at(time, scene) {
    this.scrub.value = time;
    if (this.shown === scene && this.marks.children[scene]?.classList.contains("attnviz-story-here")) return;
    this.shown = scene;
    [...this.marks.children].forEach((mark, index) => {
      mark.classList.toggle("attnviz-story-here", index === scene);
      if (index === scene) mark.setAttribute("aria-current", "step");
      else mark.removeAttribute("aria-current");
    });
    this.back.disabled = scene === 0;
    this.next.disabled = scene === this.marks.children.length - 1;
  }

  async copyLink() {
    try {
      await navigator.clipboard.writeText(this.calls.address());
    } catch {
      window.prompt(this.texts.copy, this.calls.address());
      return;
    }
    this.copy.textContent = this.texts.copied;
    setTimeout(() => (this.copy.textContent = this.texts.copy), COPIED_FOR);
  }

  /** The page makes the code of the present address, unless it is the one that is here already. */
  askForCode() {
    const address = this.calls.address();
    this.wanted = true;
    if (this.codeText === address) this.openCode();
    else this.calls.code(address);
  }

  /** A code that came from the page: rows of 0 and 1. It is opened once, when it was asked for. */
  showCode(code, texts) {
    if (!this.wanted || !code?.modules || this.codeText === code.text) return;
    this.codeText = code.text;
    const size = code.modules.length;
    const canvas = make("canvas", "", { width: size, height: size, role: "img", "aria-label": code.text });
    const context = canvas.getContext("2d");
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, size, size);
    context.fillStyle = "#000000";
    code.modules.forEach((row, y) => Array.from(row, (module, x) => Number(module) && context.fillRect(x, y, 1, 1)));
    const close = make("button", "attnviz-story-close", { type: "button", textContent: texts.close });
    close.addEventListener("click", () => this.closeCode());
    this.code.setAttribute("aria-label", texts.qr);
    this.code.replaceChildren(canvas, make("p", "", { textContent: code.text }), close);
    this.openCode();
  }

  openCode() {
    this.wanted = false;
    this.code.hidden = false;
    this.code.querySelector("button").focus();
  }

  closeCode() {
    if (this.code.hidden) return;
    this.code.hidden = true;
    this.open.focus();
  }
}
