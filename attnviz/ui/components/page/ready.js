// Says when the figures of a run are complete: then, and only then, the page holds one element `.attnviz-ready` with the
// sentence that they show. Tests, benchmarks and assistive tools can wait for it.
//
// A figure of ours carries the run on its root (`.attnviz-figure[data-attnviz-run]`), a plotly chart in its layout's
// `meta.run`. A run is a name for all that the figures show, so the same view has the same run.

class Ready {
  constructor(parent) {
    this.parent = parent;
    this.mark = null;
    this.current = false; // whether the newest run has said what its figures will be
    this.app = document.querySelector('[data-testid="stApp"]');
    this.watch = new MutationObserver(() => this.stateChanged());
    if (this.app) this.watch.observe(this.app, { attributes: true, attributeFilter: ["data-test-script-state"] });
  }

  destroy() {
    this.watch.disconnect();
    clearTimeout(this.grace);
    this.gone = true;
    this.clear();
  }

  update(data, trigger) {
    this.data = data;
    this.clear();
    this.current = true;
    this.followTheme(trigger);
    this.wait();
  }

  /** From the moment that something is asked for until its figures stand there, nothing is complete. */
  stateChanged() {
    const busy = Boolean(this.app) && this.app.dataset.testScriptState !== "notRunning";
    clearTimeout(this.grace);
    if (busy && !this.wasBusy) {
      this.current = false;
      this.clear();
    } else if (!busy && !this.current) {
      // Only a part of the page ran, and the figures are not in it; else what it shows would have come by now.
      this.grace = setTimeout(() => {
        this.current = true;
        this.wait();
      }, 400);
    }
    this.wasBusy = busy;
  }

  /** Components change colours by themselves; charts are drawn on the server and have to be asked for again. */
  followTheme(trigger) {
    const theme = readTheme(this.parent).name;
    if (theme === this.data.theme || theme === this.requestedTheme) return;
    this.requestedTheme = theme; // once, should the server see it otherwise
    trigger("theme", theme);
  }

  clear() {
    this.mark?.remove();
    this.mark = null;
  }

  wait(looks = 0) {
    if (this.waiting || this.mark) return;
    this.waiting = true;
    const look = () => {
      this.waiting = false;
      if (this.gone || this.mark || !this.current) return;
      if (this.complete()) this.set();
      else this.wait(looks + 1);
    };
    // Look again after each frame, later less often. A page in the background gets no frames and is told all the same.
    if (document.hidden || looks > 200) setTimeout(look, 100);
    else requestAnimationFrame(look);
  }

  complete() {
    const container = document.querySelector(".st-key-figures");
    if (!container) return false;
    const ours = [...container.querySelectorAll(".attnviz-figure")];
    const charts = [...container.querySelectorAll('[data-testid="stPlotlyChart"]')];
    const { run, figures } = this.data;
    return (
      ours.length + charts.length === figures &&
      ours.every((figure) => figure.dataset.attnvizRun === run) &&
      charts.every((chart) => {
        const plot = chart.querySelector(".js-plotly-plot");
        return plot?._fullLayout?.meta?.run === run && plot.querySelector(".main-svg") !== null;
      })
    );
  }

  set() {
    this.mark = make("div", "attnviz-ready", { "data-sentence": this.data.sentence, "data-run": this.data.run });
    this.parent.append(this.mark);
  }
}

export default mounted(new WeakMap(), (parent) => new Ready(parent));
