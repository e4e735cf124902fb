// The numbers of the story as arrays, and what follows from them: which key is looked at most, products of a query with a
// key. Also the images of them, which are made once for each theme and drawn in every frame.

/** Numbers from base64 of little-endian 32-bit floats; null stays null. */
function floats(text) {
  if (text === null || text === undefined) return null;
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  return new Float32Array(bytes.buffer, 0, bytes.length >> 2);
}

/** The largest magnitude among numbers of several arrays; 1 where all are 0. */
function magnitude(...arrays) {
  let most = 0;
  for (const numbers of arrays) if (numbers) for (const value of numbers) most = Math.max(most, Math.abs(value));
  return most || 1;
}

/** Where the largest of the numbers is. */
function largest(numbers) {
  return numbers.reduce((best, value, index) => (value > numbers[best] ? index : best), 0);
}

/** A number as it is read, with a minus only where one of its digits is not 0. */
function signedNumber(value) {
  const text = number(Math.abs(value));
  return value < 0 && /[1-9]/.test(text) ? `−${text}` : text;
}

class StoryNumbers {
  constructor(data) {
    const { vectors, head, journey, writing } = data;
    this.data = data;
    this.count = data.tokens.length;
    this.labels = data.tokens.map(({ label }) => label.trim() || label);
    this.shown = vectors.shown;
    this.embedding = floats(vectors.embedding);
    this.position = floats(vectors.position);
    this.sum = floats(vectors.sum);
    this.scores = floats(head.scores);
    this.weights = floats(head.weights);
    this.queries = floats(head.queries);
    this.keys = floats(head.keys);
    this.values = floats(head.values);
    this.outputs = floats(head.outputs);
    this.visible = head.visible ? Uint8Array.from(atob(head.visible), (char) => char.charCodeAt(0)) : null;
    this.width = head.width;
    this.heads = data.heads.map((one) => ({ ...one, weights: decode(one.weights) }));
    this.readBlock((data.block ?? []).map((stage) => ({ ...stage, lengths: floats(stage.lengths) })));
    this.plane = journey ? floats(journey.plane) : null;
    this.steps = (writing?.steps ?? []).map((step) => ({ ...step, own: floats(step.own), cross: floats(step.cross) }));
  }

  /**
   * The stages of the block, each with the length of its sum `after` it, if it is added there. On a `branch` are those
   * whose result is added: where the block begins with a normalisation, that one too.
   */
  readBlock(stages) {
    this.block = stages.map((stage) => ({ ...stage, after: floats(stage.after) }));
    const normedBefore = this.block.length > 0 && !this.block[0].adds;
    const counted = this.block.some(({ after }) => after);
    this.block.forEach((stage, index) => {
      const before = this.block[index - 1];
      const more = this.block.slice(index).some(({ after, adds }) => after || adds);
      stage.ends = counted ? stage.after !== null : stage.adds;
      stage.branch = stage.adds || stage.ends || (normedBefore && more);
      stage.begins = stage.branch && (!before || !before.branch || before.ends);
    });
  }

  /** The length of what a token is at the largest stage of the block. */
  longest(token) {
    const all = this.block.flatMap(({ lengths, after }) => [lengths, after]);
    return Math.max(0.001, ...all.map((lengths) => (lengths ? lengths[token] : 0)));
  }

  /** A row of a matrix that has one for each token. */
  row(matrix, token) {
    const length = matrix.length / this.count;
    return matrix.subarray(token * length, (token + 1) * length);
  }

  share(query, key) {
    return this.weights[query * this.count + key];
  }

  score(query, key) {
    return this.scores[query * this.count + key];
  }

  sees(query, key) {
    return !this.visible || Boolean(this.visible[query * this.count + key]);
  }

  /** The key that a query looks at most. */
  most(query) {
    return largest(this.row(this.weights, query));
  }

  products(query, key) {
    const keys = this.row(this.keys, key);
    return this.row(this.queries, query).map((value, index) => value * keys[index]);
  }

  /** The products of one query with all keys, row by row. */
  allProducts(query) {
    const all = new Float32Array(this.count * this.width);
    for (let key = 0; key < this.count; key++) all.set(this.products(query, key), key * this.width);
    return all;
  }

  /** The sum of the values, each by so much of its share. */
  weighted(query, amounts) {
    const width = this.values.length / this.count;
    const sum = new Float32Array(width);
    for (let key = 0; key < this.count; key++) {
      const factor = this.share(query, key) * amounts[key];
      if (!factor) continue;
      const values = this.row(this.values, key);
      for (let index = 0; index < width; index++) sum[index] += factor * values[index];
    }
    return sum;
  }

  nearest(token, layer) {
    return this.data.journey?.nearest[token]?.[layer] ?? null;
  }

  /** What the sentences beside the picture call {0} … {9}. */
  placeholders(word) {
    const { head, heads, journey } = this.data;
    const last = (journey?.layers.length ?? 1) - 1;
    const key = this.most(word);
    return [
      this.labels[word], this.labels[key], signedNumber(this.share(word, key)), head.name, String(head.width), signedNumber(head.divisor ?? 1),
      String(heads.length), String(this.count), this.nearest(word, 0)?.[0]?.[0] ?? "", this.nearest(word, last)?.[0]?.[0] ?? "",
    ];
  }
}

/** The images of all strips and maps in the colours of a theme. */
class StoryImages {
  constructor(numbers, theme, upright) {
    this.signed = lookup(theme.signedScale);
    this.shares = lookup(theme.scale);
    this.upright = upright;
    this.numbers = numbers;
    const strips = (matrix, most) => (matrix ? signedImage(matrix, numbers.count, this.signed, most, upright) : null);
    this.largest = {
      vectors: numbers.data.vectors.scale,
      match: magnitude(numbers.queries, numbers.keys),
      values: magnitude(numbers.values),
    };
    this.embedding = strips(numbers.embedding, this.largest.vectors);
    this.position = strips(numbers.position, this.largest.vectors);
    this.sum = strips(numbers.sum, this.largest.vectors);
    this.queries = strips(numbers.queries, this.largest.match);
    this.keys = strips(numbers.keys, this.largest.match);
    this.values = strips(numbers.values, this.largest.values);
    this.outputs = strips(numbers.outputs, this.largest.values);
    this.maps = numbers.heads.map(({ weights }) => this.map(weights));
  }

  /** The products of the asking word, made anew for another one. */
  products(query) {
    if (this.productsOf !== query) {
      const all = this.numbers.allProducts(query);
      this.productsOf = query;
      this.largest.products = magnitude(all);
      this.productImage = signedImage(all, this.numbers.count, this.signed, this.largest.products, this.upright);
    }
    return this.productImage;
  }

  /** Numbers that change from frame to frame, a row for each token or a single one. */
  passing(values, rows, most) {
    return signedImage(values, rows, this.signed, most, this.upright);
  }

  map(weights) {
    const count = this.numbers.count;
    const image = cellImage(count, count, weights, this.shares, (weight) => weight * 255);
    const own = make("canvas", "", { width: count, height: count });
    own.getContext("2d").drawImage(image, 0, 0);
    return own;
  }

  shareColour(weight) {
    return cssColour(this.shares, Math.round(limit(weight) * 255));
  }

  textOnShare(weight) {
    return colourOn(this.shares, Math.round(limit(weight) * 255));
  }
}
