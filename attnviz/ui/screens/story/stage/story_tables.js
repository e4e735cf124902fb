// The numbers of each scene as a table, for those who cannot see the picture or want to know exactly. A table is a
// caption, its headings, and rows of texts.

const SCENE_TABLES = [
  ({ numbers: N, names }) => [{
    headings: [names.token, names.id],
    rows: N.data.tokens.map(({ id }, index) => [N.labels[index], String(id)]),
  }],
  ({ numbers: N, names, word }) => [{
    caption: N.labels[word],
    headings: [names.dimension, names.embedding, ...(N.position ? [names.place, names.sum] : [])],
    rows: Array.from(N.row(N.embedding, word), (value, index) => [
      String(index), signedNumber(value), ...(N.position ? [signedNumber(N.row(N.position, word)[index]), signedNumber(N.row(N.sum, word)[index])] : []),
    ]),
  }],
  ({ numbers: N, names, word }) => (N.queries ? [{
    caption: `${names.query}: ${N.labels[word]}`,
    headings: [names.dimension, names.query, ...N.labels.map((label) => `${names.key}: ${label}`)],
    rows: Array.from({ length: N.width }, (_, index) => [
      String(index), signedNumber(N.row(N.queries, word)[index]), ...N.labels.map((_label, key) => signedNumber(N.row(N.keys, key)[index])),
    ]),
  }] : []),
  ({ numbers: N, names, word, first }) => [
    ...(N.queries ? [{
      caption: `${N.labels[word]} → ${N.labels[first]}`,
      headings: [names.dimension, names.query, names.key, names.product],
      rows: Array.from(N.products(word, first), (value, index) => [
        String(index), signedNumber(N.row(N.queries, word)[index]), signedNumber(N.row(N.keys, first)[index]), signedNumber(value),
      ]),
    }] : []),
    ...(N.scores ? [{
      caption: `${names.score}: ${N.labels[word]}`,
      headings: [names.token, names.score],
      rows: N.labels.map((label, key) => [label, N.sees(word, key) ? signedNumber(N.score(word, key)) : "—"]),
    }] : []),
  ],
  ({ numbers: N, names, word }) => [{
    caption: N.labels[word],
    headings: [names.token, ...(N.scores ? [names.score] : []), names.share],
    rows: N.labels.map((label, key) => [
      label, ...(N.scores ? [N.sees(word, key) ? signedNumber(N.score(word, key)) : "—"] : []), signedNumber(N.share(word, key)),
    ]),
  }],
  ({ numbers: N, names, word }) => (N.values ? [{
    caption: N.labels[word],
    headings: [names.dimension, ...N.labels.map((label, key) => `${label} × ${signedNumber(N.share(word, key))}`), names.output],
    rows: Array.from(N.row(N.outputs, word), (value, index) => [
      String(index), ...N.labels.map((_, key) => signedNumber(N.row(N.values, key)[index])), signedNumber(value),
    ]),
  }] : []),
  ({ numbers: N, names, word }) => [{
    caption: N.labels[word],
    headings: [names.head, names.role, ...N.labels],
    rows: N.heads.map(({ name, role, weights }) => [
      name, role || "—", ...N.labels.map((_, key) => signedNumber(weights[word * N.count + key])),
    ]),
  }],
  ({ numbers: N, names }) => [{
    headings: [names.stage, ...N.labels.map((label) => `${names.length}: ${label}`)],
    rows: N.block.map(({ name, adds, lengths }) => [adds ? `+ ${name}` : name, ...N.labels.map((_, token) => (lengths ? signedNumber(lengths[token]) : "—"))]),
  }],
  ({ numbers: N, names, word }) => (N.data.journey ? [{
    caption: N.labels[word],
    headings: [names.layer, names.nearest],
    rows: N.data.journey.layers.map((name, layer) => [
      name, (N.nearest(word, layer) ?? []).map(([label, similarity]) => `${label} ${signedNumber(similarity)}`).join(" · ") || "—",
    ]),
  }] : []),
  ({ numbers: N, names }) => (N.steps.length ? [{
    headings: [names.step, names.token, names.candidate],
    rows: N.steps.map(({ label, candidates }, step) => [
      String(step), label, candidates.map(([name, probability]) => `${name} ${signedNumber(probability)}`).join(" · "),
    ]),
  }] : []),
];

/** The tables of a scene as elements of the page. */
function sceneTables(scene, view) {
  return SCENE_TABLES[scene](view).map(({ caption, headings, rows }) => {
    const cell = (tag, text, index) => make(tag, "", { textContent: text, ...(tag === "th" ? { scope: index === -1 ? "row" : "col" } : {}) });
    return make("table", "", {}, [
      ...(caption ? [make("caption", "", { textContent: caption })] : []),
      make("thead", "", {}, [make("tr", "", {}, headings.map((text, index) => cell("th", text, index)))]),
      make("tbody", "", {}, rows.map(([first, ...rest]) => make("tr", "", {}, [cell("th", first, -1), ...rest.map((text, index) => cell("td", text, index))]))),
    ]);
  });
}
