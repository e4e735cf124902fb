// The story: one picture from sentence to meaning, in ten scenes, with what plays it and what says the same in words and
// tables. The picture is drawn anew for each time from the numbers that came with the page; only the address learns of it.

const TELL_ADDRESS_AFTER = 700; // milliseconds of standing still
const DRAWINGS = [
  drawNumbers, drawVectors, drawQuery, drawProducts, drawShares, drawValues, drawHeads, drawBlock, drawJourney, drawWriting,
];
const BESIDE_PICTURE = 140; // CSS pixels of a projector's screen for the app's own line and the bar of time
const LEAVING = 0.6; // seconds in which what a scene had for itself goes
const SPEEDS = [0.5, 1, 2];
const TAKES_KEYS = "input:not([type=range]), textarea, select, [contenteditable], [role=grid], [role=radiogroup], [role=listbox], [role=combobox], [role=tablist], [role=slider], [role=menu], .attnviz-story-scroll";
const TAKES_SPACE = "button, a, summary, input, [role=button]";

class Story extends Figure {
  build() {
    this.canvas = make("canvas", "attnviz-story-canvas", { role: "img" });
    this.canvas.addEventListener("click", (event) => this.clicked(event));
    this.canvas.addEventListener("pointermove", (event) => {
      this.canvas.style.cursor = this.tokenUnder(event) === null ? "" : "pointer";
    });
    this.frame = make("div", "attnviz-story-frame", {}, [this.canvas]);
    this.sized = this.frame;
    this.captions = make("div", "attnviz-story-captions", { "aria-live": "polite" });
    this.asking = make("div", "attnviz-story-row attnviz-story-asking", { role: "group" });
    this.guessing = make("div", "attnviz-story-row attnviz-story-guess", { role: "group", hidden: true, "aria-live": "polite" });
    this.controls = new StoryControls({
      play: () => this.playOrPause(),
      go: (by) => this.goBy(by),
      scene: (scene) => this.goTo(scene),
      seek: (time) => this.player.seek(time, { quietly: true }),
      rested: () => this.changed(),
      speed: (speed) => (this.player.speed = speed),
      address: () => this.address(),
      code: (address) => this.trigger("address", address),
    });
    this.tables = make("div", "attnviz-story-scroll", { tabIndex: 0, role: "region" });
    this.summary = make("summary");
    this.numbersOf = make("details", "attnviz-story-numbers", {}, [this.summary, this.tables]);
    this.numbersOf.addEventListener("toggle", () => this.writeTables());
    this.player = new StoryPlayer({
      frame: this.frame,
      show: () => this.show(),
      changed: () => this.changed(),
      waits: () => this.guess === null && !this.told,
    });
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.listenTo(this.calm, "change", () => this.data && this.standStill());
    this.listenTo(document, "keydown", (event) => this.pressed(event));
    this.largeType = new MutationObserver(() => this.resizedType());
    this.largeType.observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
    this.guess = null;
    return make("div", "attnviz-story attnviz-figure", {}, [
      this.captions, this.frame, this.asking, this.guessing, this.controls.root, this.numbersOf, this.controls.code,
    ]);
  }

  destroy() {
    super.destroy();
    this.player.destroy();
    this.largeType.disconnect();
    clearTimeout(this.telling);
  }

  receive(before, changed, themeChanged) {
    this.controls.showCode(this.data.qr, this.data.texts.controls);
    if (!changed) return;
    const anew = before?.picture !== this.data.picture;
    if (anew) this.begin(before);
    else if (themeChanged) this.draw();
  }

  /** Another sentence or model, or the first. */
  begin(before) {
    const { data, player } = this;
    this.numbers = new StoryNumbers(data);
    // The same text in another language or theme: the reader stays where they are.
    const same = before && JSON.stringify(before.tokens) === JSON.stringify(data.tokens) && before.head.name === data.head.name;
    if (!same) Object.assign(this, { word: data.word, told: false, guess: null });
    const { time } = player;
    this.root.dataset.scene = this.guessing.dataset.now = ""; // their words are written anew
    player.timeline = new Timeline(data.texts.scenes.map(({ title, sentences }) => [title, ...sentences].join(" ")));
    player.playing = false;
    this.writeTexts();
    this.controls.write(data, player.timeline);
    this.standStill();
    const scene = before ? player.timeline.at(Math.min(player.time, player.timeline.end)).scene : data.time.scene - 1;
    this.layOut();
    if (data.time.playing && !this.calm.matches && !before) {
      player.time = 0;
      player.play();
      this.show();
    } else if (same) player.seek(time, { jumped: player.jumped });
    else this.goTo(scene);
  }

  /** How large everything is drawn. In large type a wide picture fills the height of the screen with its words and bar. */
  unit() {
    const type = limit(parseFloat(getComputedStyle(document.documentElement).fontSize) / 16, 0.9, 1.6);
    if (type < 1.1 || this.frame.clientWidth < 900) return type;
    const others = this.captions.offsetHeight + BESIDE_PICTURE;
    return limit((window.innerHeight - others) / WIDE_HEIGHT, 1, 1.8);
  }

  /** Everything anew, for another width, theme or size of type; the time stays. */
  draw() {
    if (!this.numbers) return;
    this.layOut();
    this.show();
  }

  /** In large type the picture comes to the top: on a projector it is what everybody looks at. */
  resizedType() {
    if (!this.drawnUnit || this.drawnUnit === this.unit()) return;
    this.draw();
    if (document.documentElement.matches(".attnviz-large-type")) this.root.scrollIntoView({ block: "start" });
  }

  layOut() {
    const width = (this.drawnWidth = this.frame.clientWidth);
    if (!width) return;
    this.drawnUnit = this.unit();
    const pen = new Pen(this.canvas.getContext("2d"), this.theme, this.drawnUnit);
    this.layout = new Layout(width, this.numbers, pen);
    openCanvas(this.canvas, width, this.layout.height, window.devicePixelRatio || 1);
    const { theme } = this;
    const towards = (colour, share) => {
      const [one, other] = [toRgb(colour), toRgb(theme.background)];
      return `rgb(${one.map((channel, index) => Math.round(mix(other[index], channel, share))).join(", ")})`;
    };
    this.view = {
      pen,
      theme,
      layout: this.layout,
      numbers: this.numbers,
      images: new StoryImages(this.numbers, theme, !this.layout.narrow),
      texts: this.data.texts.labels,
      quiet: towards(theme.text, 0.68),
      faint: towards(theme.text, 0.08),
      tint: towards(theme.accent, 0.12),
      faintAccent: towards(theme.accent, 0.4),
      dark: towards(theme.text, 0.72),
      positive: theme.signedScale[theme.signedScale.length - 5],
      negative: theme.signedScale[4],
    };
  }

  // The picture -----------------------------------------------------------------------------------------------------

  show() {
    const { view, player, layout } = this;
    if (!view) return;
    const { scene, seconds } = player.timeline.at(player.time);
    const { pen } = view;
    Object.assign(view, { word: this.word, guess: this.guess, tokens: layout.tokens(scene, seconds) });
    pen.begin(layout.width, layout.height);
    if (scene > 0 && seconds < LEAVING) {
      pen.faded(1 - part(seconds, 0, LEAVING), () => DRAWINGS[scene - 1](view, SCENE_SECONDS[scene - 1], true));
    }
    DRAWINGS[scene](view, seconds, false);
    this.drawTokens(scene, seconds);
    this.controls.at(player.time, scene);
    const { dataset } = this.root;
    dataset.playing = player.playing;
    if (player.playing) delete dataset.drawn;
    else {
      dataset.drawn = JSON.stringify(pen.written);
      dataset.tokens = JSON.stringify(view.tokens.map(({ x, y }) => [Math.round(x), Math.round(y)]));
    }
    if (dataset.scene !== String(scene + 1)) this.entered(scene);
  }

  drawTokens(scene, seconds) {
    const { view, numbers, theme } = this;
    const { pen } = view;
    const asks = scene > 1 ? 1 : scene === 1 ? part(seconds, 1.8, 2.6) : 0;
    // In the plane each token is a point with its name, which this scene draws itself.
    const [flying, back] = [scene === 8 && numbers.plane ? part(seconds, 0, 1.2) : 0, scene === 9 && numbers.plane ? moved(seconds, 0, 1.1) : 1];
    view.tokens.forEach((seat, index) => {
      const chosen = index === this.word;
      let { x, y } = seat;
      if (flying > 0) [x, y] = planePoint(view, 0, index).map((value, axis) => mix(seat[axis ? "y" : "x"], value, moved(flying, 0, 1)));
      if (back < 1) [x, y] = planePoint(view, numbers.data.journey.layers.length - 1, index).map((value, axis) => mix(value, seat[axis ? "y" : "x"], back));
      const box = { x: x - seat.w / 2, y: y - seat.h / 2, w: seat.w, h: seat.h };
      pen.faded(seat.opacity * (scene === 8 && numbers.plane ? 1 - part(flying, 0.7, 1) : 1), () => {
        pen.faded(seat.boxed, () => pen.round(box, 7, { fill: theme.background, line: theme.line, dashed: numbers.data.tokens[index].special }));
        if (chosen) pen.faded(asks, () => pen.round(box, 7, { fill: theme.accent }));
        const colour = chosen && asks > 0.5 ? theme.background : numbers.data.tokens[index].special ? view.quiet : theme.text;
        // The sentence itself has no signs that tell equal tokens apart.
        const label = seat.boxed > 0.5 ? numbers.labels[index] : numbers.labels[index].replace(/[₀-₉]+$/u, "");
        pen.write(label, x, y + 0.5, { size: seat.size, colour, room: seat.boxed > 0.5 ? seat.w - 6 : 0, least: 7 });
      });
    });
  }

  /** The picture came to another scene. */
  entered(scene) {
    this.root.dataset.scene = scene + 1;
    [...this.captions.children].forEach((caption, index) => {
      caption.classList.toggle("attnviz-story-here", index === scene);
      caption.setAttribute("aria-hidden", index !== scene);
    });
    const [title, words] = [".attnviz-story-title", ".attnviz-story-sentences"].map((part) => this.captions.children[scene].querySelector(part).textContent);
    this.canvas.setAttribute("aria-label", `${this.data.texts.controls.picture}: ${title}. ${words}`);
    this.writeGuess(scene);
    this.writeTables();
  }

  /** The picture plays, rests, or was taken elsewhere. */
  changed() {
    const { player } = this;
    this.controls.face(player.playing);
    this.root.dataset.playing = player.playing;
    if (player.playing) delete this.root.dataset.drawn;
    clearTimeout(this.telling);
    const { scene } = player.timeline.at(player.time);
    this.writeGuess(scene);
    if (!player.playing && this.toldScene !== scene + 1) {
      this.telling = setTimeout(() => {
        if (this.toldScene !== undefined) this.trigger("scene", scene + 1);
        this.toldScene = scene + 1;
      }, this.toldScene === undefined ? 0 : TELL_ADDRESS_AFTER);
    }
  }

  address() {
    const address = new URL(location.href);
    address.searchParams.set("scene", this.player.timeline.at(this.player.time).scene + 1);
    address.searchParams.set("word", this.data.tokens[this.word].label);
    return address.href;
  }

  /** Who wants no movement gets still scenes: what plays them is not there. */
  standStill() {
    this.controls.root.classList.toggle("attnviz-story-still", this.calm.matches);
    if (this.calm.matches && this.player.playing) this.player.pause();
  }

  // What the reader does --------------------------------------------------------------------------------------------

  playOrPause() {
    if (this.player.playing) this.player.pause();
    else if (this.calm.matches) this.goBy(1);
    else this.player.play();
  }

  goTo(scene) {
    const { timeline } = this.player;
    const to = limit(scene, 0, DRAWINGS.length - 1);
    if (this.player.playing) return this.player.seek(timeline.starts[to]);
    const asks = to === GUESS_SCENE && this.guess === null && !this.told;
    return this.player.seek(asks ? timeline.gate : timeline.complete(to), { jumped: true });
  }

  goBy(by) {
    this.goTo(this.player.timeline.at(this.player.time).scene + by);
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.defaultPrevented) return;
    const target = event.target.closest ? event.target : document.body;
    if (target.closest(TAKES_KEYS) || !this.view) return;
    if (event.key === "Escape") this.controls.closeCode();
    else if (event.key === " " && !target.closest(TAKES_SPACE)) this.controls.calls.play();
    else if (event.key === "ArrowRight") this.goBy(1);
    else if (event.key === "ArrowLeft") this.goBy(-1);
    else return;
    if (event.key !== "Escape") event.preventDefault();
  }

  tokenUnder(event) {
    if (!this.view?.tokens) return null;
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const { layout } = this;
    // Beside its box, what stands under a token in a column belongs to it too.
    const { scene } = this.player.timeline.at(this.player.time);
    const token = this.view.tokens.findIndex((seat) => Math.abs(seat.x - x) <= seat.w / 2 + 4 && Math.abs(seat.y - y) <= Math.max(seat.h / 2, 12) + 4);
    if (token >= 0 && scene !== 8) return token;
    if (scene < 1 || scene > 5) return null;
    const [along, across] = layout.narrow ? [y, x] : [x, y];
    const column = layout.along.findIndex((middle, index) => Math.abs(middle - along) <= layout.pitches[index] / 2);
    return column >= 0 && across < layout.across(300, 340) ? column : null;
  }

  clicked(event) {
    const token = this.tokenUnder(event);
    if (token === null) return;
    if (this.asksNow()) this.answer(token);
    else this.ask(token);
  }

  /** Whether the picture stands before the reader's guess. */
  asksNow() {
    const { scene, seconds } = this.player.timeline.at(this.player.time);
    return scene === GUESS_SCENE && this.guess === null && !this.told && seconds <= GUESS_AT + 0.01;
  }

  /** A guess, or null to be shown without one; the story goes on. */
  answer(token) {
    if (token !== null && !this.numbers.sees(this.word, token)) return;
    this.guess = token;
    this.told = true;
    const { timeline } = this.player;
    if (this.calm.matches) return this.player.seek(timeline.complete(GUESS_SCENE), { jumped: true });
    this.player.time = timeline.gate;
    this.player.jumped = false;
    return this.player.play();
  }

  /** Another word asks; all that depends on it is drawn anew. */
  ask(token) {
    if (token === this.word) return;
    this.word = token;
    this.guess = null;
    this.told = false;
    this.writeTexts();
    const { scene, seconds } = this.player.timeline.at(this.player.time);
    this.root.dataset.scene = "";
    if (scene === GUESS_SCENE && seconds > GUESS_AT && !this.player.playing) this.goTo(scene);
    else this.show();
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.trigger("word", token), TELL_ADDRESS_AFTER);
  }

  // Words and tables ------------------------------------------------------------------------------------------------

  writeTexts() {
    const { data, numbers } = this;
    const { texts } = data;
    const values = numbers.placeholders(this.word);
    this.captions.replaceChildren(...texts.scenes.map((_, index) => sceneCaption(data, index, values)));
    this.summary.textContent = texts.controls.numbers;
    this.tables.setAttribute("aria-label", texts.controls.numbers);
    const words = numbers.labels.map((label, index) => {
      const button = make("button", "", { type: "button", textContent: label, "aria-pressed": index === this.word });
      button.addEventListener("click", () => {
        this.ask(index);
        this.asking.querySelectorAll("button")[index].focus();
      });
      return button;
    });
    this.asking.setAttribute("aria-label", texts.controls.words);
    this.asking.replaceChildren(make("span", "attnviz-story-ask", { textContent: `${texts.controls.words}:` }), ...words);
  }

  /** The row of buttons for the guess while it is asked for, and what is said about it afterwards. */
  writeGuess(scene) {
    const { numbers, word } = this;
    const { guess: texts } = this.data.texts;
    const asks = scene === GUESS_SCENE && this.guess === null && !this.told;
    this.asking.hidden = scene === GUESS_SCENE;
    this.guessing.hidden = scene !== GUESS_SCENE;
    if (scene !== GUESS_SCENE) return;
    const values = numbers.placeholders(word);
    const now = `${word} ${asks} ${this.guess}`;
    if (this.guessing.dataset.now === now) return;
    this.guessing.dataset.now = now;
    const question = make("span", "attnviz-story-ask", {}, sentenceParts(texts.question, values));
    if (asks) {
      const buttons = numbers.labels.map((label, index) => {
        const button = make("button", "", { type: "button", textContent: label, disabled: !numbers.sees(word, index) });
        button.addEventListener("click", () => this.answer(index));
        return button;
      });
      const show = make("button", "attnviz-story-show", { type: "button", textContent: texts.show });
      show.addEventListener("click", () => this.answer(null));
      this.guessing.replaceChildren(question, ...buttons, show);
      return;
    }
    const right = this.guess === numbers.most(word);
    if (this.guessing.contains(document.activeElement)) this.controls.play.focus(); // its button goes
    const verdict = this.guess === null ? texts.shown : right ? texts.right : texts.wrong;
    this.guessing.replaceChildren(make("p", "attnviz-story-verdict", {
      "data-right": this.guess === null ? "" : right,
    }, sentenceParts(`${verdict} ${texts.others}`, values)));
  }

  writeTables() {
    if (!this.numbersOf.open || !this.view) return;
    const scene = Number(this.root.dataset.scene) - 1;
    if (scene < 0) return;
    const view = { numbers: this.numbers, names: this.data.texts.tables, word: this.word, first: firstKey({ numbers: this.numbers, word: this.word }) };
    this.tables.replaceChildren(...sceneTables(scene, view));
  }
}

export default mounted(new WeakMap(), (parent) => new Story(parent));
