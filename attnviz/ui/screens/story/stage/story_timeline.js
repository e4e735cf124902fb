// When what happens: ten scenes one after the other, how movements begin and end, and where a time of the story is. The
// picture is a function of the scene and the seconds in it, so playing, scrubbing and standing still are the same code.

const SCENE_SECONDS = [5, 7, 7, 9, 9, 8, 7, 9, 9, 10];
const GUESS_SCENE = 4; // counted from 0: the one that asks the reader
const GUESS_AT = 3.2; // seconds into it
const READING = 0.3; // seconds for a word of the sentences beside the picture
const LEAST_REST = 1.2; // seconds between two scenes
const MOST_REST = 7;

function limit(value, least = 0, most = 1) {
  return Math.max(least, Math.min(most, value));
}

/** How much of the time between two seconds has gone by, from 0 to 1. */
function part(seconds, from, to) {
  return limit((seconds - from) / (to - from));
}

/** The same, for a movement that begins and ends gently. */
function moved(seconds, from, to) {
  const share = part(seconds, from, to);
  return share < 0.5 ? 4 * share ** 3 : 1 - (2 - 2 * share) ** 3 / 2;
}

/** The same for one of several that begin one after the other and share the time; each takes `length` seconds. */
function inTurn(seconds, from, to, index, count, length) {
  const begin = from + (Math.max(0, to - from - length) * index) / Math.max(1, count - 1);
  return moved(seconds, begin, Math.min(to, begin + length));
}

function mix(one, other, share) {
  return one + (other - one) * share;
}

/** A rectangle on its way from one to another. */
function mixBox(one, other, share) {
  return {
    x: mix(one.x, other.x, share),
    y: mix(one.y, other.y, share),
    w: mix(one.w, other.w, share),
    h: mix(one.h, other.h, share),
  };
}

/** Scenes with a rest after each, in which its sentences can be read to the end. */
class Timeline {
  /** @param sentences for each scene its sentences, as one text */
  constructor(sentences) {
    this.lengths = SCENE_SECONDS.map((seconds, scene) => {
      const spaced = sentences[scene].split(/\s+/).length;
      const words = Math.max(spaced, (sentences[scene].match(/\p{Script=Han}/gu) ?? []).length / 1.7);
      return seconds + limit(words * READING - seconds / 2, LEAST_REST, MOST_REST);
    });
    this.starts = [0];
    for (const length of this.lengths) this.starts.push(this.starts.at(-1) + length);
    this.end = this.starts.at(-1);
  }

  /** The scene of a time, and the seconds in it; at rest these stay where the scene ended. */
  at(time) {
    let scene = SCENE_SECONDS.length - 1;
    while (scene > 0 && time < this.starts[scene]) scene--;
    return { scene, seconds: Math.min(SCENE_SECONDS[scene], time - this.starts[scene]) };
  }

  /** The time at which a scene stands complete. */
  complete(scene) {
    return this.starts[scene] + SCENE_SECONDS[scene];
  }

  /** The time at which the story waits for the reader's guess. */
  get gate() {
    return this.starts[GUESS_SCENE] + GUESS_AT;
  }
}
