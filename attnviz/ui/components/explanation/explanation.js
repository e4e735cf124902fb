// Why this word: the output to choose from, the text coloured by what each of its words contributed, all methods below each
// other, and how the prediction falls as words are taken away.

const DENSE = 40; // tokens from which the numbers only stand at the pointer
const CURVE = { height: 230, left: 52, right: 12, top: 10, bottom: 40 };
const WIDEST_CURVE = 620; // CSS pixels

class Explanation extends Figure {
  build() {
    this.ask = make("h3", "attnviz-why-ask");
    this.output = make("div", "attnviz-why-output", { role: "group" });
    this.output.addEventListener("keydown", (event) => this.pressed(event));
    this.question = make("h3", "attnviz-why-question", { "aria-live": "polite" });
    this.cards = make("div", "attnviz-why-cards");
    [this.matrix, this.table] = Array.from({ length: 2 }, () => make("div", "attnviz-why-scroll", { tabIndex: 0, role: "region" }));
    this.trust = make("div", "attnviz-why-trust");
    return make("div", "attnviz-why attnviz-figure", {}, [
      this.ask, this.output, this.question, this.cards, this.matrix, this.table, this.trust,
    ]);
  }

  draw() {
    this.drawnWidth = this.root.clientWidth;
    const { curve } = this.data.trust ?? {};
    if (curve) this.trust.lastChild.replaceWith(this.curve(curve));
  }

  receive(_, changed) {
    if (!changed) return;
    const { data } = this;
    this.ask.textContent = data.ask;
    this.drawOutput(data.output);
    this.question.textContent = data.question;
    this.cards.replaceChildren(...data.cards.map((card) => this.card(card)));
    this.drawTable(this.matrix, data.matrix);
    this.drawTable(this.table, data.table);
    this.trust.hidden = !data.trust;
    if (data.trust) this.drawTrust(data.trust);
    this.draw();
  }

  // What it says ----------------------------------------------------------------------------------------------------

  drawOutput({ words, title }) {
    const focused = [...this.output.children].indexOf(document.activeElement);
    this.output.setAttribute("aria-label", title);
    this.output.replaceChildren(...words.map((word, index) => {
      const button = make("button", "", {
        type: "button", textContent: word.label, "aria-pressed": String(word.chosen), tabIndex: word.chosen ? 0 : -1,
      });
      button.addEventListener("click", () => this.choose(index));
      return button;
    }));
    if (words.length && !words.some(({ chosen }) => chosen)) this.output.firstChild.tabIndex = 0;
    if (focused >= 0) this.output.children[Math.min(focused, words.length - 1)]?.focus();
  }

  choose(index) {
    [...this.output.children].forEach((button, at) => button.setAttribute("aria-pressed", String(at === index)));
    this.trigger("word", index);
  }

  /** The arrow keys go from word to word; Enter and Space choose, as on every button. */
  pressed(event) {
    const buttons = [...this.output.children];
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    buttons[limitTo(to, buttons.length)].focus();
  }

  // One card a method -----------------------------------------------------------------------------------------------

  card({ name, answers, groups, note, signed, most, scale }) {
    const dense = groups.reduce((sum, { tokens }) => sum + tokens.length, 0) > DENSE;
    return make("section", `attnviz-why-card${dense ? " attnviz-why-dense" : ""}`, { "aria-label": name }, [
      make("h3", "", { textContent: name }),
      make("p", "attnviz-why-small", { textContent: answers }),
      ...groups.flatMap(({ title, tokens }) => [
        ...(groups.length > 1 ? [make("div", "attnviz-why-small", { textContent: title })] : []),
        make("div", "attnviz-why-tokens", { role: "list", "aria-label": title }, tokens.map((token) => this.token(token, most, signed))),
      ]),
      this.scale(scale, signed),
      ...(note ? [make("p", "attnviz-why-small", { textContent: note })] : []),
    ]);
  }

  token({ label, value, number }, most, signed) {
    const word = make("span", "attnviz-why-word", { textContent: label });
    this.colour(word, most ? value / most : 0, signed);
    return make("span", "attnviz-why-token", { role: "listitem", title: `${label} ${number}` }, [
      word, make("span", "attnviz-why-number", { textContent: number }),
    ]);
  }

  /** The background for a share in [−1, 1], or [0, 1], and a text that can be read on it. */
  colour(element, share, signed) {
    const [red, green, blue] = this.shade(share, signed);
    element.style.background = `rgb(${red}, ${green}, ${blue})`;
    element.style.color = luminance([red, green, blue]) > 0.179 ? "#000000" : "#ffffff"; // where both contrast alike
  }

  shade(share, signed) {
    const table = (this.tables ??= {})[`${this.theme.name}${signed}`] ??= lookup(signed ? this.theme.signedScale : this.theme.scale);
    const place = signed ? (share + 1) / 2 : share;
    const colour = table[Math.round(255 * Math.min(1, Math.max(0, place)))];
    return [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
  }

  scale([low, high], signed) {
    const ramp = make("span", "attnviz-why-ramp");
    const stops = Array.from({ length: 9 }, (_, index) => `rgb(${this.shade(signed ? index / 4 - 1 : index / 8, signed)})`);
    ramp.style.background = `linear-gradient(90deg, ${stops.join(", ")})`;
    return make("div", "attnviz-why-scale", { "aria-hidden": "true" }, [
      make("span", "", { textContent: low }), ramp, make("span", "", { textContent: high }),
    ]);
  }

  // All methods, or the whole translation ----------------------------------------------------------------------------

  /** A coloured table: a row a method or a word that was written, a column a token of the source. */
  drawTable(region, table) {
    region.hidden = !table;
    if (!table) return;
    const { title, note, tokens, rows, agreement } = table;
    region.setAttribute("aria-label", title);
    const head = make("tr", "", {}, [
      make("td"), ...tokens.map((label) => make("th", "", { scope: "col", textContent: label })),
      ...(agreement ? [make("th", "", { scope: "col", textContent: agreement })] : []),
    ]);
    const body = rows.map(({ name, values, numbers, most, signed, agrees }) => make("tr", "", {}, [
      make("th", "", { scope: "row", textContent: name }),
      ...values.map((value, index) => {
        const cell = make("td", "", { textContent: numbers[index] });
        this.colour(cell, most ? value / most : 0, signed);
        return cell;
      }),
      ...(agreement ? [make("td", "attnviz-why-agrees", { textContent: agrees })] : []),
    ]));
    region.replaceChildren(
      make("h3", "", { textContent: title }), ...(note ? [make("p", "attnviz-why-small", { textContent: note })] : []),
      make("table", "attnviz-why-table", {}, [make("thead", "", {}, [head]), make("tbody", "", {}, body)]),
    );
  }

  // Can it be trusted? ----------------------------------------------------------------------------------------------

  drawTrust({ title, sentences, curve, bars, bars_title: barsTitle, conclusion }) {
    const most = Math.max(...bars.map(({ value }) => value), 1e-9);
    this.trust.replaceChildren(
      make("div", "attnviz-why-words", {}, [
        make("h3", "", { textContent: title }), ...sentences.map((textContent) => make("p", "", { textContent })),
        ...(bars.length ? [
          make("h3", "", { textContent: barsTitle }),
          make("div", "attnviz-why-bars", { role: "list" }, bars.flatMap(({ name, value, number }) => {
            const bar = make("span", "attnviz-why-bar", { "aria-hidden": "true" });
            bar.style.width = `${(100 * value) / most}%`;
            return [make("span", "", { textContent: name, role: "listitem" }), bar, make("span", "", { textContent: number })];
          })),
        ] : []),
        ...conclusion.map((textContent) => make("p", "attnviz-why-small", { textContent })),
      ]),
      ...(curve ? [make("div")] : []), // `draw` puts it there, as wide as there is room
    );
  }

  curve({ title, lines, counts, across, up, ticks }) {
    const { height, left, right, top, bottom } = CURVE;
    const width = Math.min(WIDEST_CURVE, this.drawnWidth || WIDEST_CURVE);
    const x = (index) => left + (counts[index] / Math.max(counts.at(-1), 1)) * (width - left - right);
    const y = (value) => top + (1 - value) * (height - top - bottom);
    const grid = ticks.flatMap(({ value, label }) => [
      svg("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), stroke: this.theme.line }),
      text(label, left - 6, y(value) + 4, "end"),
    ]);
    const every = Math.ceil(counts.length / 12);
    const marks = counts.flatMap((count, index) => {
      return index % every ? [] : [text(String(count), x(index), height - bottom + 16, "middle")];
    });
    const paths = lines.map(({ values, kind }) => svg("polyline", {
      points: values.map((value, index) => `${x(index)},${y(value)}`).join(" "), fill: "none", ...this.stroke(kind),
    }));
    const points = lines.flatMap(({ values, kind, words }) => words.map((words, index) => {
      const point = svg("circle", { cx: x(index), cy: y(values[index]), r: 4, fill: this.stroke(kind).stroke });
      point.append(svg("title"));
      point.firstChild.textContent = words;
      return point;
    }));
    const drawing = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title }, [
      ...grid, ...marks, text(across, (left + width - right) / 2, height - 4, "middle"), ...paths, ...points,
    ]);
    return make("div", "attnviz-why-curve", {}, [
      make("div", "attnviz-why-small", { textContent: up }), drawing,
      make("div", "attnviz-why-lines", {}, lines.map(({ name, kind }) => make("span", "attnviz-why-line", {}, [
        svg("svg", { viewBox: "0 0 30 10", "aria-hidden": "true" }, [svg("line", { x1: 0, x2: 30, y1: 5, y2: 5, ...this.stroke(kind) })]),
        make("span", "", { textContent: name }),
      ]))),
    ]);
  }

  stroke(kind) {
    const { accent, text: ink } = this.theme;
    return {
      method: { stroke: accent, "stroke-width": 3 },
      beside: { stroke: this.theme.signedScale[1], "stroke-width": 3 },
      random: { stroke: ink, "stroke-width": 1.5, "stroke-dasharray": "2 4" },
      best: { stroke: ink, "stroke-width": 1.5, "stroke-dasharray": "8 4" },
    }[kind];
  }
}

function text(label, x, y, anchor) {
  const element = svg("text", { x, y, "text-anchor": anchor });
  element.textContent = label;
  return element;
}

function limitTo(index, count) {
  return Math.min(Math.max(index, 0), count - 1);
}

export default mounted(new WeakMap(), (parent) => new Explanation(parent));
