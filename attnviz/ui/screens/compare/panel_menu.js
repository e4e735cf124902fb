// What a panel shows, as controls: its kind of attention, layer and head; a form for another sentence, target or model;
// and buttons that move the panel or drop it.

class PanelMenu {
  /**
   * `models` is the id of the list of models to choose from. `acts` are functions: `panel` gives what the panel shows now,
   * `change` gets what is to be different, `shift` by how many places the panel moves, `drop` takes it away.
   */
  constructor(models, acts) {
    this.acts = acts;
    this.left = this.icon("‹", () => acts.shift(-1));
    this.right = this.icon("›", () => acts.shift(1));
    this.other = this.icon("⋯", () => this.unfold());
    this.close = this.icon("×", () => acts.drop());
    this.icons = [this.left, this.right, this.other, this.close];
    [this.kind, this.layer, this.head] = ["kind", "layer", "head"].map((part) => this.select(part));
    this.selects = make("div", "attnviz-panel-controls", {}, [this.kind, this.layer, this.head]);
    this.form = this.makeForm(models);
  }

  icon(text, act) {
    const button = make("button", "attnviz-panel-icon", { type: "button" }, [make("span", "", { textContent: text })]);
    button.addEventListener("click", act);
    return button;
  }

  select(part) {
    const element = make("select", "attnviz-panel-select");
    element.addEventListener("change", () => {
      const { value } = element;
      this.acts.change({ [part]: part !== "kind" && /^\d+$/.test(value) ? Number(value) : value });
    });
    return element;
  }

  /** Another sentence, target or model for this panel. */
  makeForm(models) {
    this.fields = {};
    this.labels = ["sentence", "target", "model"].map((part) => {
      this.fields[part] = make("input", "attnviz-panel-input", { type: "text", spellcheck: false, autocomplete: "off" });
      return make("label", "attnviz-panel-label", {}, [make("span", ""), this.fields[part]]);
    });
    this.fields.model.setAttribute("list", models);
    this.apply = make("button", "attnviz-panel-button", { type: "submit" });
    this.same = make("button", "attnviz-panel-button", { type: "button" });
    const form = make("form", "attnviz-panel-form", { hidden: true }, [
      ...this.labels,
      make("div", "attnviz-panel-buttons", {}, [this.apply, this.same]),
    ]);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.acts.change(Object.fromEntries(Object.entries(this.fields).map(([part, field]) => [part, field.value.trim()])));
      this.fold();
    });
    this.same.addEventListener("click", () => {
      this.acts.change({ sentence: "", target: "", model: "" });
      this.fold();
    });
    form.addEventListener("keydown", (event) => event.key === "Escape" && this.fold());
    return form;
  }

  unfold(open = this.form.hidden) {
    this.form.hidden = !open;
    this.other.setAttribute("aria-expanded", open);
    if (!open) return;
    const panel = this.acts.panel();
    for (const [part, field] of Object.entries(this.fields)) field.value = panel[part];
    this.fields.sentence.focus();
  }

  fold() {
    this.unfold(false);
    this.other.focus();
  }

  /** The texts of all controls; `letter` is the panel's name and `one` what it came to. */
  write({ texts, page }, one, letter) {
    for (const name of ["left", "right", "other", "close"]) {
      this[name].title = texts[name];
      this[name].setAttribute("aria-label", `${texts[name]}: ${letter}`);
    }
    for (const part of ["kind", "layer", "head"]) this[part].setAttribute("aria-label", `${texts[part]}: ${letter}`);
    this.other.setAttribute("aria-expanded", !this.form.hidden);
    this.labels.forEach((label, index) => (label.firstChild.textContent = texts.own[index]));
    for (const [part, field] of Object.entries(this.fields)) field.placeholder = page[part];
    this.labels[1].hidden = !one.hasTarget;
    this.apply.textContent = texts.apply;
    this.same.textContent = texts.same;
  }

  /** What the controls hold, and which of them can be used. */
  show(panel, one, texts, { first, last, needed }) {
    this.left.disabled = first;
    this.right.disabled = last;
    this.close.disabled = needed;
    const rollout = panel.head === "rollout";
    const never = panel.kind === "cross" || typeof panel.layer === "string" ? ["rollout"] : [];
    setOptions(this.kind, one.kinds.map((kind) => [kind, texts.kinds[kind]]), panel.kind);
    setOptions(this.layer, counted(one.layers, panel.layer, texts.layers, rollout ? ["mean", "max"] : [], one.numbers), panel.layer);
    setOptions(this.head, counted(one.heads, panel.head, texts.heads, never), panel.head);
  }
}

/** [value, label, disabled] for each layer or head, by its name or else its number, and for all of them together. */
function counted(count, now, texts, never, names = []) {
  const numbers = count === null ? (typeof now === "number" ? [now] : []) : [...Array(count).keys()];
  return [
    ...numbers.map((number) => [number, fill(texts.one, names[number] ?? number)]),
    ...Object.entries(texts.all).map(([how, label]) => [how, label, never.includes(how)]),
  ];
}

/** Gives a select its options, [value, label, disabled], and its value; it is left alone where nothing is new. */
function setOptions(select, wanted, value) {
  const name = JSON.stringify(wanted);
  if (select.dataset.options !== name) {
    select.dataset.options = name;
    select.replaceChildren(
      ...wanted.map(([value, textContent, disabled]) => make("option", "", { value, textContent, disabled: Boolean(disabled) })),
    );
  }
  if (select.value !== String(value)) select.value = String(value);
}
