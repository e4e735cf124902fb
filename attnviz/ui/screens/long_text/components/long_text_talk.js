// What the map and the text beside it tell each other, and the colours that both have. They are two components, for the text
// is sent once, and the map gets a new region with each zoom.
//
//   text → map: "axes" (the passages are there), "passage" (one was chosen), "go" (a link was chosen)
//   map → text: "marks" (passages to be marked), "view" (what the map shows), "colours" (a number for each passage)

const LONG_TEXT = (globalThis.attnvizLongText ??= Object.assign(new EventTarget(), { axes: null, colours: null, view: null }));

function tellOther(type, detail) {
  LONG_TEXT.dispatchEvent(new CustomEvent(type, { detail }));
}

/** Bytes from base64 of what zlib packed. */
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** What each of the 256 steps of a picture stands for. */
function stepValues({ low, high }) {
  const span = Math.log(high / low);
  return Float64Array.from({ length: 256 }, (_, step) => (step ? low * Math.exp(((step - 1) / 254) * span) : 0));
}

const FAINTEST = 0.25; // of an even spread, where the scale of "lift" begins

/** Where a value is on the scale of colours, in [0, 1]; `top` is where the scale ends. */
function onScale(value, way, top) {
  if (value <= 0) return 0;
  if (way === "lift") return Math.max(0, Math.min(1, Math.log(value / FAINTEST) / Math.log(top / FAINTEST)));
  const share = Math.min(1, value / top);
  return way === "root" ? Math.sqrt(share) : share;
}

/** The end of a scale: a round number that only the strongest few in a thousand are above. */
function scaleTop(values, way) {
  const sorted = Float64Array.from(values.filter((value) => value > 0)).sort();
  const most = sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.998))] : 1;
  const least = way === "lift" ? 4 : 1e-6;
  const power = 10 ** Math.floor(Math.log10(Math.max(most, least)));
  const round = [1, 2, 3, 5, 10].find((step) => step * power >= Math.max(most, least) * 0.999) * power;
  return way === "lift" ? round : Math.min(1, round);
}

/** "3.2", "0.04", "1,200": two digits that count. */
function short(value) {
  const digits = value >= 100 ? 0 : value >= 10 ? 0 : value >= 1 ? 1 : Math.min(6, 1 - Math.floor(Math.log10(Math.max(value, 1e-6))));
  return value.toLocaleString(document.documentElement.lang || "en", { maximumFractionDigits: digits });
}
