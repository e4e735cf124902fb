// The clock of the story. It asks for frames only while the picture moves and somebody can see it.

class StoryPlayer {
  /** @param show draws the picture of a time, @param changed learns that it plays, rests or came to another scene */
  constructor({ frame, show, changed, waits }) {
    Object.assign(this, { show, changed, waits, time: 0, speed: 1, playing: false, jumped: false, seen: true });
    this.tick = (now) => this.advance(now);
    this.ending = new AbortController();
    document.addEventListener("visibilitychange", () => this.request(), { signal: this.ending.signal });
    this.sight = new IntersectionObserver(([entry]) => {
      this.seen = entry.isIntersecting;
      this.request();
    });
    this.sight.observe(frame);
  }

  destroy() {
    this.ending.abort();
    this.sight.disconnect();
    cancelAnimationFrame(this.asked);
  }

  get running() {
    return this.playing && this.seen && !document.hidden;
  }

  request() {
    cancelAnimationFrame(this.asked);
    this.before = null;
    if (this.running) this.asked = requestAnimationFrame(this.tick);
  }

  advance(now) {
    if (!this.running) return;
    // A frame that came late, such as after another tab, does not make the story jump.
    const passed = this.before === null ? 0 : Math.min(0.1, (now - this.before) / 1000);
    this.before = now;
    const next = this.time + passed * this.speed;
    const { gate, end } = this.timeline;
    if (this.waits() && this.time <= gate && next >= gate) return this.rest(gate);
    if (next >= end) return this.rest(end);
    this.time = next;
    this.show();
    this.asked = requestAnimationFrame(this.tick);
    return undefined;
  }

  rest(time) {
    this.time = time;
    this.playing = false;
    this.show();
    this.changed();
  }

  play() {
    const { scene } = this.timeline.at(this.time);
    // A scene that was opened complete plays from its beginning, and the whole story once it is over.
    if (this.time >= this.timeline.end - 0.01 && !this.jumped) this.time = 0;
    else if (this.jumped) this.time = this.timeline.starts[scene];
    this.jumped = false;
    this.playing = true;
    this.changed();
    this.request();
  }

  pause() {
    this.playing = false;
    this.request();
    this.show();
    this.changed();
  }

  /** Goes to a time; a picture that plays goes on from there. */
  seek(time, { jumped = false, quietly = false } = {}) {
    this.time = limit(time, 0, this.timeline.end);
    this.jumped = jumped;
    this.show();
    if (!quietly) this.changed();
    this.request();
  }
}
