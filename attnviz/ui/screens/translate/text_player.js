// A text that grows token by token: for each step what the prediction looked at, what could come next, and, of a beam
// search, what else was tried. All steps are here already, so walking through them asks nobody; another choice of token
// goes to the page, which writes the rest anew.

const TELL_AFTER = 500; // milliseconds after the last step until the page learns of it, for its address
const PLAY_EVERY = 1100;

class Growing extends Figure {
  build() {
    this.step = 0;
    const button = (name, action) => {
      const element = make("button", `attnviz-growing-button ${name}`, { type: "button" });
      element.addEventListener("click", action);
      return element;
    };
    this.back = button("attnviz-growing-back", () => this.go(this.step - 1));
    this.play = button("attnviz-growing-play", () => (this.playing ? this.pause() : this.start()));
    this.next = button("attnviz-growing-next", () => this.go(this.step + 1));
    this.reset = button("attnviz-growing-reset", () => this.ask("reset", Date.now()));
    this.where = make("span", "attnviz-growing-where", { "aria-live": "polite" });
    this.ended = make("span", "attnviz-growing-ended");
    this.chips = make("div", "attnviz-growing-text", { role: "group" });
    this.chips.addEventListener("keydown", (event) => this.key(event));
    this.looks = make("div", "attnviz-growing-looks");
    this.question = make("div", "attnviz-growing-title");
    this.list = make("div", "attnviz-growing-bars", { role: "group" });
    this.list.addEventListener("keydown", (event) => this.barKey(event));
    this.effect = make("div", "attnviz-growing-note");
    this.description = make("div", "attnviz-growing-said");
    this.tip = new Tip({ above: true });
    this.map = new StepMap(this.tip, (step) => this.go(step));
    this.sized = this.map.frame;
    this.beam = new BeamTree((step) => this.go(step));
    return make("div", "attnviz-growing attnviz-figure", {}, [
      make("div", "attnviz-growing-head", {}, [
        make("div", "attnviz-growing-transport", {}, [this.back, this.play, this.next, this.where, this.reset]),
        this.ended,
      ]),
      this.chips,
      make("div", "attnviz-growing-now", {}, [
        this.looks,
        make("div", "attnviz-growing-choices", {}, [this.question, this.list, this.effect]),
        this.map.root,
      ]),
      this.description,
      this.beam.root,
      this.tip.root,
    ]);
  }

  destroy() {
    super.destroy();
    clearInterval(this.playing);
    clearTimeout(this.telling);
  }

  receive(before, changed) {
    const { data } = this;
    this.root.classList.remove("attnviz-growing-busy");
    if (before?.path !== data.path) {
      this.pause();
      clearTimeout(this.telling);
      this.step = Math.max(0, Math.min(data.steps.length - 1, data.step));
    }
    if (!changed) return;
    this.weights = data.strips.map((strip) => decode(strip.weights));
    this.write();
    this.draw();
    this.show();
  }

  draw() {
    this.drawnWidth = this.sized.clientWidth;
    this.map.draw(this.theme, this.step);
  }

  ask(event, value) {
    this.pause();
    clearTimeout(this.telling);
    this.root.classList.add("attnviz-growing-busy");
    this.trigger(event, value);
  }

  // Walking ---------------------------------------------------------------------------------------------------------

  go(step, focus = false) {
    const to = Math.max(0, Math.min(this.data.steps.length - 1, step));
    if (to === this.step) return;
    this.step = to;
    this.show();
    if (focus) this.chip(to)?.focus();
    clearTimeout(this.telling);
    if (!this.playing) this.tell();
  }

  /** So that a copied link shows this step; only when the reader has come to rest. */
  tell() {
    this.telling = setTimeout(() => this.trigger("step", this.step), TELL_AFTER);
  }

  start() {
    const last = this.data.steps.length - 1;
    if (this.step === last) this.go(0);
    this.playing = setInterval(() => {
      this.go(this.step + 1);
      if (this.step === last) this.pause();
    }, PLAY_EVERY);
    this.face();
  }

  pause() {
    if (!this.playing) return;
    clearInterval(this.playing);
    this.playing = null;
    this.tell();
    this.face();
  }

  /** What the button for growing looks like now. */
  face() {
    const { texts } = this.data;
    this.play.textContent = this.playing ? "❚❚" : "▶";
    this.play.setAttribute("aria-label", this.playing ? texts.pause : texts.play);
    this.play.title = this.playing ? texts.pause : texts.play;
  }

  key(event) {
    const to = { ArrowLeft: this.step - 1, ArrowRight: this.step + 1, Home: 0, End: this.data.steps.length - 1 }[event.key];
    if (to === undefined || !event.target.matches(".attnviz-growing-chip")) return;
    event.preventDefault();
    this.go(to, true);
  }

  barKey(event) {
    const way = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const bars = [...this.list.querySelectorAll("button")];
    bars[Math.max(0, Math.min(bars.length - 1, bars.indexOf(event.target) + way))]?.focus();
  }

  chip(step) {
    return this.chips.querySelector(`[data-step="${step}"]`);
  }

  // What does not change with the step ------------------------------------------------------------------------------

  write() {
    const { data } = this;
    const { texts } = data;
    [[this.back, "‹", texts.back], [this.next, "›", texts.next], [this.reset, texts.reset, texts.reset]].forEach(
      ([button, face, label]) => {
        button.textContent = face;
        button.setAttribute("aria-label", label);
        button.title = label;
      },
    );
    this.face();
    this.reset.hidden = !data.prefixLength;
    this.ended.textContent = data.ended;
    this.chips.setAttribute("aria-label", texts.text);
    this.chips.replaceChildren(...data.text.map((item) => this.item(item)));
    this.looks.replaceChildren(...data.strips.map((strip) => this.strip(strip)));
    this.map.write(data.map);
    this.beam.write(data);
  }

  /** A word of the text: a step, a word that can be masked instead, or neither. */
  item({ text, joined, special, step, word, inPrefix }) {
    const plain = step === null && word === null;
    const name = `attnviz-growing-word${joined ? " attnviz-growing-joined" : ""}${special ? " attnviz-growing-special" : ""}`;
    if (plain) return make("span", `${name} attnviz-growing-before`, { textContent: text });
    const element = make("button", name, { type: "button", textContent: text });
    if (step !== null) {
      element.classList.add("attnviz-growing-chip");
      element.classList.toggle("attnviz-growing-given", inPrefix);
      element.dataset.step = step;
      element.title = this.data.steps[step].title;
      element.addEventListener("click", () => this.go(step));
    } else {
      element.title = this.data.texts.mask;
      element.addEventListener("click", () => this.ask("mask", word));
    }
    return element;
  }

  strip(strip) {
    const title = make("div", "attnviz-growing-title", {}, [
      make("span", "", { textContent: strip.title }),
      make("span", "attnviz-growing-quiet", { textContent: ` ${strip.about}` }),
    ]);
    const words = make("div", "attnviz-growing-keys", { role: "img" });
    words.append(
      ...strip.keys.map(({ text, joined, special }) => {
        const parts = [make("span", "attnviz-growing-key-text", { textContent: text }), make("span", "attnviz-growing-key-weight")];
        const name = `attnviz-growing-key${joined ? " attnviz-growing-joined" : ""}${special ? " attnviz-growing-special" : ""}`;
        return make("span", name, {}, parts);
      }),
    );
    return make("div", `attnviz-growing-strip${strip.marked ? " attnviz-growing-marked" : ""}`, {}, [title, words]);
  }

  // What does -------------------------------------------------------------------------------------------------------

  show() {
    const { data, step } = this;
    const now = data.steps[step];
    this.where.textContent = fill(data.texts.where, step + 1, data.steps.length);
    this.back.disabled = step === 0;
    this.next.disabled = step === data.steps.length - 1;
    this.chips.querySelectorAll(".attnviz-growing-chip").forEach((chip) => {
      const index = Number(chip.dataset.step);
      chip.classList.toggle("attnviz-growing-now-chip", index === step);
      chip.classList.toggle("attnviz-growing-later", index > step);
      chip.tabIndex = index === step ? 0 : -1;
      if (index === step) chip.setAttribute("aria-current", "step");
      else chip.removeAttribute("aria-current");
    });
    keepInSight(this.chips, this.chip(step));
    data.strips.forEach((strip, index) => this.colour(strip, index));
    this.bars(now);
    this.description.textContent = now.description;
    this.map.show(step);
    this.beam.show(step);
  }

  /** The words that the prediction looked at, each on the colour of its weight. */
  colour(strip, index) {
    const words = this.looks.children[index].lastChild;
    const count = strip.keys.length;
    const visible = strip.visibleCounts[this.step];
    const weighted = [];
    [...words.children].forEach((word, key) => {
      const weight = this.weights[index][this.step * count + key];
      const gap = strip.keys[key].gap;
      if (gap !== null) word.firstChild.textContent = gap < this.step ? this.data.steps[gap].token : strip.keys[key].text;
      word.hidden = key >= visible;
      if (word.hidden) return;
      const { colour, text } = shade(this.theme, weight, strip.top, strip.root);
      word.style.backgroundColor = colour;
      word.style.color = text;
      word.lastChild.textContent = number(weight).replace(/^0\./, ".");
      word.title = `${word.firstChild.textContent} ${local(weight.toFixed(4))}`;
      weighted.push([weight, word.firstChild.textContent]);
    });
    weighted.sort((one, two) => two[0] - one[0]);
    const strongest = weighted.slice(0, 4).map(([weight, text]) => `${text} ${number(weight)}`);
    words.setAttribute("aria-label", `${strip.title}: ${strongest.join(", ")}`);
  }

  bars(now) {
    const { texts } = this.data;
    const focused = [...this.list.children].indexOf(document.activeElement);
    this.question.replaceChildren(
      make("span", "", { textContent: now.question }),
      make("span", "attnviz-growing-quiet", { textContent: ` ${now.after}` }),
    );
    this.list.setAttribute("aria-label", now.question);
    const bars = now.bars.map((bar) => {
      const label = make("span", "attnviz-growing-label", {}, [
        make("span", "attnviz-growing-quiet", { textContent: bar.before }),
        make("span", "attnviz-growing-token", { textContent: bar.text }),
      ]);
      const element = make("button", "attnviz-growing-bar", { type: "button" }, [label, ...this.amount(bar)]);
      element.classList.toggle("attnviz-growing-taken", bar.chosen);
      element.classList.toggle("attnviz-growing-cut", !bar.candidate);
      element.classList.toggle("attnviz-growing-special", bar.special);
      element.setAttribute("aria-pressed", bar.chosen);
      element.setAttribute("aria-label", bar.label);
      element.title = bar.chosen ? texts.chosen : texts.choose;
      element.addEventListener("click", () => {
        if (bar.chosen) this.go(this.step + 1);
        else this.ask("choose", { step: this.step, id: bar.id });
      });
      return element;
    });
    const rest = make("div", "attnviz-growing-bar attnviz-growing-others", { title: now.others.title }, [
      make("span", "attnviz-growing-label", { textContent: now.others.text }),
      ...this.amount(now.others),
    ]);
    this.list.replaceChildren(...bars, rest);
    if (focused >= 0) this.list.children[Math.min(focused, bars.length - 1)]?.focus();
    this.effect.textContent = now.effect;
  }

  /** A hollow bar for what the model says, a filled one for what the method makes of it, and both in numbers. */
  amount({ p, q, numbers }) {
    const track = make("span", "attnviz-growing-track", { "aria-hidden": "true" }, [
      make("span", "attnviz-growing-p"),
      make("span", "attnviz-growing-q"),
    ]);
    track.firstChild.style.width = `${100 * p}%`;
    track.lastChild.style.width = `${100 * q}%`;
    return [track, make("span", "attnviz-growing-numbers", { textContent: numbers })];
  }

}

export default mounted(new WeakMap(), (parent) => new Growing(parent));
