// The last card: the difference of two panels, with the choice of which two, how far apart they are, and its own colours.

class DifferenceCard {
  /** `compare(side, panel)` is called with the panel that is to be the first, side 0, or the second, side 1. */
  constructor(compare) {
    this.name = make("button", "attnviz-panel-name attnviz-panel-name-still", { type: "button" });
    this.value = make("span", "attnviz-panel-value");
    this.selects = [0, 1].map((side) => {
      const select = make("select", "attnviz-panel-select");
      select.addEventListener("change", () => compare(side, Number(select.value)));
      return select;
    });
    const minus = make("span", "", { textContent: "−" });
    this.pair = make("div", "attnviz-panel-pair", {}, [this.selects[0], minus, this.selects[1]]);
    this.far = make("div", "attnviz-panel-far");
    this.error = make("div", "attnviz-panel-error");
    this.heatmap = new Heatmap();
    this.low = make("span", "");
    this.ramp = make("span", "attnviz-panels-ramp");
    this.high = make("span", "");
    this.legend = make("div", "attnviz-panels-legend", {}, [this.low, this.ramp, this.high]);
    this.root = make("div", "attnviz-panel attnviz-panel-difference", { role: "listitem" }, [
      make("div", "attnviz-panel-bar", {}, [this.name, this.value]),
      this.pair,
      this.far,
      this.error,
      this.heatmap.root,
      this.legend,
    ]);
  }

  /** The texts; `several` is whether there are panels to choose from. */
  write(one, colours, several) {
    this.name.textContent = one.name;
    this.name.setAttribute("aria-label", one.text);
    this.heatmap.canvas.setAttribute("aria-label", one.text);
    this.far.textContent = one.divergence;
    this.far.hidden = !one.divergence;
    this.error.textContent = one.error;
    this.error.hidden = !one.error;
    this.heatmap.root.hidden = this.legend.hidden = !one.weights;
    this.root.hidden = !one.weights && !one.error;
    this.pair.hidden = !several;
    this.low.textContent = one.low;
    this.high.textContent = one.high;
    this.ramp.style.background = `linear-gradient(90deg, ${colours.join(", ")})`;
  }

  /** The panels to choose from, [number, letter], and the two that are compared. */
  show(letters, compared, texts) {
    this.selects.forEach((select, side) => {
      select.setAttribute("aria-label", texts[side]);
      setOptions(select, letters, compared[side]);
    });
  }
}
