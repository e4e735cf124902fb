// What is said about each scene beside its picture: a title, a few sentences, a formula, and where to take it apart.

const WORDS_OF_THE_MODEL = [0, 1, 8, 9]; // places in a sentence that a token or a word of the vocabulary comes to

/** A sentence with the values in its places; words of the model stand out, and may be of another language. */
function sentenceParts(template, values) {
  return template.split(/(\{\d\})/).filter(Boolean).map((piece) => {
    const place = /^\{\d\}$/.test(piece) ? Number(piece[1]) : -1;
    if (place < 0) return piece;
    return WORDS_OF_THE_MODEL.includes(place) ? make("bdi", "attnviz-story-word", { textContent: values[place] }) : values[place];
  });
}

/** The words of a scene as an element of the page; `values` are what `placeholders` of the numbers gives. */
function sceneCaption({ texts, links, leftOut }, index, values) {
  const scene = texts.scenes[index];
  const link = scene.link && links?.[index + 1];
  const between = /\p{Script=Han}/u.test(scene.title) ? "" : " ";
  return make("div", "attnviz-story-caption", {}, [
    make("div", "attnviz-story-head", {}, [
      make("h3", "attnviz-story-title", {}, [
        make("span", "attnviz-story-number", { textContent: `${index + 1} ` }), ...sentenceParts(scene.title, values),
      ]),
      make("div", "attnviz-story-more", {}, [
        ...(scene.formula ? [make("span", "attnviz-story-formula", { textContent: scene.formula })] : []),
        ...(link ? [make("a", "attnviz-story-link", { href: link, target: "_self", textContent: `${scene.link} →` })] : []),
      ]),
    ]),
    make("p", "attnviz-story-sentences", {}, sentenceParts(scene.sentences.join(between), values)),
    ...(leftOut && index === 0 ? [make("p", "attnviz-story-sentences", { textContent: texts.leftOut })] : []),
  ]);
}
