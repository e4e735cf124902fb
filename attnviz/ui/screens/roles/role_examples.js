// What is to be read of one head: its numbers, where in the texts it looks most sharply, and texts drawn at random beside
// them. A text has the attention of one of its words as background, and links from that word to those it looks at.

/* global measuredPicture */
/* exported RoleExamples */

const SPECIAL = /^(<.*>|\[.*\])$/; // how models write their special tokens
const FAINTEST = 0.04; // the weight from which there is a link

class RoleExamples {
  constructor(open) {
    this.open = open;
    this.root = make("section", "attnviz-roles-panel", { tabIndex: 0 }); // its texts scroll, by keyboard too
  }

  receive({ panel, texts, open }, theme) {
    this.theme = theme;
    this.table = lookup(theme.scale);
    this.lines = [];
    const close = make("button", "attnviz-roles-close", { type: "button", textContent: panel.close });
    close.addEventListener("click", () => this.open(""));
    this.root.setAttribute("aria-label", panel.title);
    this.root.replaceChildren(
      make("h2", `attnviz-roles-${panel.group}`, { "aria-live": "polite" }, [
        make("span", "attnviz-roles-dot"), make("span", "", { textContent: panel.title }),
        ...(panel.deed ? [make("span", "attnviz-roles-deed", { textContent: panel.deed })] : []),
      ]),
      ...(panel.about ? [make("p", "attnviz-roles-small", { textContent: panel.about })] : []),
      ...(panel.facts.length ? [this.facts(panel.facts, texts)] : []),
      ...(panel.close && open ? [close] : []),
      make("div", "attnviz-roles-texts", {}, panel.columns.map((column) => this.column(column))),
    );
  }

  facts(facts, texts) {
    return make("ul", "attnviz-roles-facts", { "aria-label": texts.facts }, facts.map(({ group, text, title, measured, labelled }) =>
      make("li", `attnviz-roles-${group}${labelled ? " attnviz-roles-labelled" : ""}`, { title }, [
        make("span", "attnviz-roles-dot"), make("span", "attnviz-roles-fact", { textContent: text }),
        measuredPicture(measured),
        make("span", "attnviz-roles-number", { textContent: measured.number }),
        make("span", "attnviz-roles-interval", { textContent: measured.interval }),
        make("span", "attnviz-roles-interval attnviz-roles-beside", { textContent: `${texts.against} ${measured.beside}` }),
      ]),
    ));
  }

  column({ title, note, items, empty }) {
    return make("section", "attnviz-roles-column", { "aria-label": title }, [
      make("h3", "", { textContent: title }),
      make("p", "attnviz-roles-small", { textContent: items.length ? note : empty }),
      make("ol", "attnviz-roles-list", {}, items.map((item) => this.item(item))),
    ]);
  }

  item({ text, queries, keys, query, weights, head }) {
    const shares = new Map(weights);
    const own = keys.length === 0;
    const side = (tokens, looks, looked) => {
      const line = make("span", "attnviz-roles-line", { lang: "" });
      const words = tokens.map((token, index) => this.word(line, token, looks === index, looked ? shares.get(index) : undefined));
      return [line, words];
    };
    const [line, words] = side(queries, query, own);
    const [other, targets] = own ? [null, words] : side(keys, -1, true);
    const links = svg("svg", { class: "attnviz-roles-links", "aria-hidden": "true" });
    const picture = make("div", `attnviz-roles-example${own ? "" : " attnviz-roles-two"}`, { "aria-hidden": "true" }, [
      links, line, ...(other ? [other] : []),
    ]);
    this.lines.push({ picture, links, from: words[query], to: weights.map(([key, weight]) => [targets[key], weight]), own });
    return make("li", "", {}, [
      ...(head ? [make("span", "attnviz-roles-whose", { textContent: head })] : []),
      make("span", "attnviz-roles-hidden", { textContent: text }),
      picture,
    ]);
  }

  word(line, token, looks, share) {
    const text = token.trim() || token;
    if (token !== text && token.startsWith(" ")) line.append(" ");
    const word = make("span", `attnviz-roles-token${looks ? " attnviz-roles-looks" : ""}${SPECIAL.test(text) ? " attnviz-roles-special" : ""}`, { textContent: text });
    if (share !== undefined) {
      const colour = this.table[Math.round(255 * Math.min(1, share))];
      const rgb = [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
      word.style.background = `rgb(${rgb})`;
      word.style.color = luminance(rgb) > 0.179 ? "#000000" : "#ffffff"; // where both contrast alike
      word.title = number(share);
    }
    line.append(word);
    if (token !== text && token.endsWith(" ")) line.append(" ");
    return word;
  }

  draw() {
    for (const line of this.lines ?? []) this.link(line);
  }

  /** An arc over the words where both stand in one line, else a line from one to the other. */
  link({ picture, links, from, to, own }) {
    const frame = picture.getBoundingClientRect();
    if (!frame.width || !from) return;
    links.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
    const box = (word) => {
      const { left, top, width, height } = word.getBoundingClientRect();
      return { x: left - frame.left + width / 2, top: top - frame.top, bottom: top - frame.top + height };
    };
    const start = box(from);
    links.replaceChildren(...to.filter(([word, weight]) => word && word !== from && weight >= FAINTEST).map(([word, weight]) => {
      const end = box(word);
      let d;
      if (!own) d = `M${start.x} ${start.bottom}C${start.x} ${(start.bottom + end.top) / 2} ${end.x} ${(start.bottom + end.top) / 2} ${end.x} ${end.top}`;
      else {
        const rise = Math.min(16, 5 + Math.abs(end.x - start.x) / 14);
        const [first, second] = [start.top - rise, end.top - rise];
        d = `M${start.x} ${start.top}C${start.x} ${first} ${end.x} ${second} ${end.x} ${end.top}`;
      }
      return svg("path", { d, "stroke-width": (0.75 + 2.25 * weight).toFixed(2), "stroke-opacity": Math.max(0.25, weight).toFixed(2) });
    }));
  }
}
