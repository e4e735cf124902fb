// What a beam search tried, as a tree: a column of buttons for each step, and a line from each hypothesis to what it goes
// on to.

const NODE = [92, 38]; // CSS pixels from one hypothesis to the next, across and down

class BeamTree {
  /** `go` is called with the step of the hypothesis that was clicked. */
  constructor(go) {
    this.go = go;
    this.title = make("div", "attnviz-growing-title");
    this.note = make("div", "attnviz-growing-note");
    this.tree = make("div", "attnviz-growing-tree", { role: "group" });
    this.root = make("div", "attnviz-growing-beam", {}, [this.title, this.tree, this.note]);
  }

  /** `beams` has for each step its hypotheses; there are none where no beam searched. */
  write({ beams, texts, treeNote, prefixLength }) {
    this.root.hidden = !beams.length;
    if (!beams.length) {
      this.tree.replaceChildren();
      return;
    }
    this.title.textContent = texts.beam;
    this.note.textContent = treeNote;
    const [across, down] = NODE;
    const most = Math.max(...beams.map((column) => column.length));
    const nodes = beams.flatMap((column, index) => column.map((node, row) => this.node(node, index, row, prefixLength)));
    const lines = beams.flatMap((column, index) => column.flatMap((node, row) => this.line(node, index, row)));
    const size = { width: beams.length * across, height: most * down };
    const drawing = svg("svg", { class: "attnviz-growing-lines", ...size, "aria-hidden": "true" }, lines);
    this.tree.style.setProperty("--attnviz-tree", `${size.height}px`);
    this.tree.setAttribute("aria-label", texts.beam);
    this.tree.replaceChildren(make("div", "attnviz-growing-forest", {}, [drawing, ...nodes]));
    this.tree.firstChild.style.width = `${size.width}px`;
  }

  node(node, index, row, prefixLength) {
    const [across, down] = NODE;
    const element = make("button", `attnviz-growing-node ${classesOf(node)}`, {
      type: "button",
      title: node.label,
      tabIndex: -1,
      "aria-label": node.label,
    }, [
      make("span", "attnviz-growing-token", { textContent: node.text }),
      make("span", "attnviz-growing-score", { textContent: node.score }),
    ]);
    element.style.left = `${index * across}px`;
    element.style.top = `${row * down + 3}px`;
    element.dataset.step = prefixLength + index;
    element.addEventListener("click", () => this.go(prefixLength + index));
    return element;
  }

  /** To a hypothesis from the one that it goes on from; none to the first. */
  line(node, index, row) {
    if (node.parent === null) return [];
    const [across, down] = NODE;
    const [x, y, fromY] = [index * across, (row + 0.5) * down, (node.parent + 0.5) * down];
    const way = `M${x - 14} ${fromY}C${x - 3} ${fromY} ${x - 11} ${y} ${x} ${y}`;
    return [svg("path", { d: way, class: `attnviz-growing-branch ${classesOf(node)}` })];
  }

  show(step) {
    let here = null;
    for (const node of this.tree.querySelectorAll(".attnviz-growing-node")) {
      const now = Number(node.dataset.step) === step;
      node.classList.toggle("attnviz-growing-now-node", now);
      node.tabIndex = now && node.classList.contains("attnviz-growing-won") ? 0 : -1;
      if (now) here = node;
    }
    keepInSight(this.tree, here);
  }
}

/** Whether a hypothesis goes on, was dropped or ended, and whether it belongs to the text that won. */
function classesOf({ state, won }) {
  return `attnviz-growing-${state}${won ? " attnviz-growing-won" : ""}`;
}

/** Scrolls within an element only: the page stays where it is. */
function keepInSight(around, element) {
  if (!element) return;
  const [outer, inner] = [around, element].map((item) => item.getBoundingClientRect());
  if (inner.left < outer.left) around.scrollLeft -= outer.left - inner.left + 20;
  else if (inner.right > outer.right) around.scrollLeft += inner.right - outer.right + 20;
  if (inner.top < outer.top) around.scrollTop -= outer.top - inner.top + 4;
  else if (inner.bottom > outer.bottom) around.scrollTop += inner.bottom - outer.bottom + 4;
}
