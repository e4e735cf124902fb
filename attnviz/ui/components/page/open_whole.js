// A link to the address of this frame without the parameters that embed it. The address changes while the page is used,
// so it is read when somebody is about to follow the link.

/* global mounted */

class OpenWhole {
  constructor(parent) {
    this.link = make("a", "attnviz-open-whole", { target: "_blank", rel: "noopener" });
    parent.append(this.link);
    for (const kind of ["pointerdown", "focus", "mouseenter", "click"]) {
      this.link.addEventListener(kind, () => this.follow());
    }
  }

  destroy() {
    this.link.remove();
  }

  update(data) {
    if (!data) return;
    this.link.textContent = `${data.text} ↗`;
    this.follow();
  }

  follow() {
    const whole = new URL(window.location.href);
    whole.searchParams.delete("embed");
    whole.searchParams.delete("embed_options");
    this.link.href = whole;
  }
}

export default mounted(new WeakMap(), (parent) => new OpenWhole(parent));
