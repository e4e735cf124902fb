"""The bundled model's card, made from its recipe and its measured figures; no figure is typed."""

from __future__ import annotations

from attnviz.roles.measurement.relations import DIRECTIONS as LOOKS
from attnviz.roles.measurement.relations import FEWEST
from attnviz.roles.tables.catalogue import GAIN
from training.evaluation.probes import LEAST_SHARE

LANGUAGES = {"de": "German", "en": "English", "nl": "Dutch", "zh": "Chinese"}
BEAM_NAMES = {"beam1": "greedy", "beam4": "beam 4"}
LOOK_NAMES = {"to_dependent": "From the head to its dependent", "to_head": "From the dependent to its head"}


def model_card(recipes: list[dict], figures: dict, heads: dict) -> str:
    """The text of MODEL_CARD.md.

    Args:
        recipes: a `Recipe` as a dictionary for each run; each began with the weights of the one before.
        figures: what `training.evaluation.evaluate.evaluate` returned.
        heads: the content of heads.json.
    """
    recipe = recipes[-1]
    return f"""---
license: cc-by-2.0
language: [de, nl, zh, en]
---
# The bundled translation transformer

A small encoder–decoder transformer that translates German, Dutch and Chinese (Simplified) into English and English into
German. It ships with attnviz so that there is something real to look at with nothing downloaded. It is made to be
looked at, not to be relied on: it knows short everyday sentences and little else.

- Architecture: Marian, as in "Attention Is All You Need": {recipe.get("encoder_layers") or recipe["layers"]} + {recipe["layers"]} layers, d = {recipe["width"]}, {recipe["heads"]} heads a layer,
  feed-forward {4 * recipe["width"]}, sinusoidal positions, one embedding for encoder, decoder and output.
  {figures["parameters"] / 1e6:.1f} million parameters, stored in half precision.
- Vocabulary: {figures["vocabulary"]:,} byte-pair pieces for all four languages; characters that it does not hold are spelt in bytes.
- The encoder sees the bare sentence. The decoder's first prediction names the target language (`>>en<<`, `>>de<<`).
  Putting the other token there rarely makes it translate that way: it was trained in these four directions only.

## Data, licence, attribution

Sentence pairs from Tatoeba (https://tatoeba.org), CC BY 2.0 FR, by their contributors; German, Dutch and part of the
Chinese selection via www.manythings.org/anki. Changes: normalised, deduplicated, filtered; Chinese converted to
Simplified. The weights are offered under CC BY 2.0 with the same attribution.
The sentences that the app shows as examples, and their plain translations, were taken out of the training data.
For training, long pairs were taken two or three times, and pairs joined from two or three were added.
The pairs are volunteers' work: some are wrong, and the model has learned what they say, common names and clichés included.

## Recipe

{_recipe(recipes)}
No attention was supervised or arranged. `training/` makes it again: see `training/README.md`.

## Translations

On the test splits (no English test sentence occurs in any training pair), with the weights as shipped, computed in bfloat16:

{_translations(figures)}

Signatures: `{figures["signatures"]["bleu"]}`, `{figures["signatures"]["chrf"]}`.
The last column: how often the model's own first token is the right language, on the first 300 sentences.

{_runaway(figures["checks"]["hostile"])}

## What its heads have learned

{_checks(figures["checks"])}
{_verbs(figures["heads"]["relations"])}

{_alignment(figures["heads"]["alignment"])}

{_positional(figures["heads"]["positional"])}

### Grammatical relations

How often the word that an encoder head attends to most is the right one (Clark et al. 2019, "What Does BERT Look At?",
section 4.2), beside the best fixed offset ("always two words on"). The head was chosen on every other sentence, and the figures
are those of the rest; the offset is the best of the rest itself. Weights are taken by word; the word itself and the special
tokens do not count, and neither do words that share a token. Relations without their subtypes; those with fewer than {FEWEST} instances in a half are left out.

{_relations(figures["heads"])}

The layer that has most to show is {heads["opening_layer"]}: by how much its heads beat a fixed offset in what each does best, on average
({", ".join(f"layer {layer}: {100 * value:.1f}" for layer, value in enumerate(heads["layers"]))} points).
`heads.json` has for each head what it does at least {100 * GAIN:.0f} points better than the baseline on both halves, where the 95 % interval
lies above the baseline too.
`roles.json` has for every head what it does over 1,200 of the pairs' development sentences, and `roles.examples.parquet`
where in them (CC BY 2.0 FR, as above); `python -m attnviz roles` measures both.

Measured on the development sections of Universal Dependencies (https://universaldependencies.org, CC BY-SA 4.0), up to so many
sentences of each: {_treebanks(figures["heads"]["treebanks"])}.
"""


def _recipe(recipes: list[dict]) -> str:
    if len(recipes) == 1:
        return f"{_run(recipes[0])}."
    runs = [f"{number}. {_run(recipe)}." for number, recipe in enumerate(recipes, start=1)]
    return "\n".join(
        [f"Trained in {len(recipes)} runs, each from the weights that the one before it ended with:\n", *runs, ""]
    )


def _run(recipe: dict) -> str:
    return (
        f"{recipe['steps']:,} steps of about {recipe['batch_tokens']:,} tokens, {recipe['warmup']} of warm-up, the last "
        f"{recipe['decay']:,} with a falling rate (1 - √); peak rate {recipe['learning_rate']:g}: Muon for the matrices inside "
        f"the layers (weight decay {recipe['weight_decay']:g}), AdamW at {recipe['embedding_rate']:g} times that rate for the "
        f"rest; label smoothing {recipe['smoothing']:g}, dropout {recipe['dropout']:g}, of attention weights "
        f"{recipe['attention_dropout']:g}; {_describe_masking(recipe)}{_describe_misreading(recipe)}bfloat16 autocast; "
        + (
            "the last weights"
            if recipe["average"] == 1
            else f"the mean of the last {recipe['average']} weights, 25 steps apart"
        )
        + (
            f", with {share:.0%} of the weights that it began with (`training/README.md` says what that share was chosen by)"
            if (share := recipe.get("kept", 0))
            else ""
        )
        + f"; seed {recipe['seed']}"
    )


def _describe_masking(recipe: dict) -> str:
    share, at_last = recipe["masked"], recipe["masked_at_last"]
    if not share:
        return ""
    return (
        f"until the rate falls {share:.0%} of the source tokens are hidden or replaced in half of the sentences "
        f"({f'then {at_last:.0%}' if at_last else 'then none'}), and the encoder has to name them too (that loss "
        f"counts {recipe['masked_weight']:g}, the translation's 1); "
    )


def _describe_misreading(recipe: dict) -> str:
    # Recipes of runs before there was such a thing do not name it.
    share, unseen = recipe.get("misread", 0), recipe.get("end_hidden", 0)
    parts = []
    if share:
        parts.append(
            f"the encoder reads every source a second time, alone or joined with one or two others, with {share:.0%} of its "
            f"words hidden or replaced by similar words, has to name those (that loss counts {recipe['naming_weight']:g}) "
            f"and to tell which of all the words were replaced ({recipe['judging_weight']:g}); "
        )
    if unseen:
        parts.append(f"in {unseen:.0%} of the sentences its words may not look at the end token; ")
    if marks := recipe.get("punctuation_hidden", 0):
        parts.append(f"in {marks:.0%} not at punctuation; ")
    return "".join(parts)


def _table(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])


def _translations(figures: dict) -> str:
    sizes = sorted(next(iter(figures["directions"].values())).keys() & BEAM_NAMES.keys())
    header = ["direction", "sentences"]
    for size in sizes:
        header += [f"BLEU, {BEAM_NAMES[size]}", f"chrF, {BEAM_NAMES[size]}"]
    rows = []
    for direction, entry in figures["directions"].items():
        cells = [f"{entry[size][measure]:.1f}" for size in sizes for measure in ("bleu", "chrf")]
        rows.append([direction.replace("-", " → "), f"{entry['sentences']:,}", *cells, f"{entry['names_target']:.1%}"])
    return _table([*header, "names the target language itself"], rows)


def _runaway(hostile: list[dict]) -> str:
    longest = max(hostile, key=lambda entry: entry["written"])
    cut = [entry["input"] for entry in hostile if not entry["ended"]]
    ends = "None was cut off by a limit" if not cut else f"Cut off by a limit: {', '.join(cut)}"
    return (
        f"Of {len(hostile)} inputs made to have it run on (one word 200 times, emoji, bytes of no word, a script it has never seen, …)\n"
        f"the longest answer, to “{longest['input']}”, had {longest['written']} tokens. {ends}."
    )


def _checks(checks: dict) -> str:
    verb, alike, nouns = checks["verb"], checks["alike"], checks["nouns"]
    subjects, verbs, objects = alike["made_of"]
    ties = " and ".join(verb["ties"])
    heads = _list(verb["heads"])
    lines = [
        f"- “{verb['sentence']}”: encoder heads in which the two words that “{verb['word']}” attends to most, special tokens aside,"
        f"\n  are {ties}, each with at least {LEAST_SHARE:.0%} of the row: {heads}.",
        f"- Of {alike['sentences']} other sentences of that shape, put together from {subjects} subjects, {verbs} verbs and {objects} objects, {alike['best']} ties the"
        f"\n  verb to both in {alike['share']:.0%}; no other head does in more.",
        f"- “{nouns['sentence']}” is translated as “{nouns['translation']}”",
    ]
    for target, text in (("given", "with the translation"), ("own", "with its own translation")):
        entry = nouns[target]
        if entry is None or (target == "own" and entry["target"] == nouns["given"]["target"]):
            continue
        lines.append(
            f"- {text} “{entry['target']}” in the decoder, {', '.join(nouns['links'])} are the maxima of the rows that predict"
            f"\n  those words in {_list(entry['before'])} of the cross-attention, of the rows that read them in {_list(entry['own'])}."
        )
    return "\n".join(lines)


def _verbs(by_most_words: dict) -> str:
    """The two relations that a reader looks for first, in a sentence each."""
    lines = []
    for relation, name in (("obj", "object"), ("nsubj", "subject")):
        wanted = {"language": "de", "relation": relation, "direction": "to_dependent"}
        for most_words, scores in by_most_words.items():
            for score in (score for score in scores if wanted.items() <= score.items()):
                lines.append(
                    f"- German, from a verb to its {name}, sentences of at most {most_words} words: L{score['layer']} H{score['head']} finds"
                    f"\n  {score['accuracy']:.0%} of {score['instances']}, the best fixed offset ({score['offset']:+d}) {score['offset_accuracy']:.0%}."
                )
    return "\n".join(lines)


def _list(names: list[str]) -> str:
    return ", ".join(names) if names else "none"


def _alignment(alignment: dict) -> str:
    best = alignment["scores"][0]
    name = f"the mean of layer {best['layer']}" if best["head"] is None else f"L{best['layer']} H{best['head']}"
    rows = {"before": "predicts it", "own": "reads it"}
    means = "; ".join(
        f"in the row that {rows[convention]} " + ", ".join(f"{100 * share:.0f} %" for share in shares)
        for convention, shares in alignment["by_rows"].items()
    )
    return (
        f"Cross-attention on {alignment['pairs']} pairs aligned by hand (`training/evaluation/alignments.tsv`), given the right translation: {name} has its\n"
        f"greatest weight on a right source word for {best['accuracy']:.0%} of the target words, in the row that {rows[best['rows']]}; the same place in\n"
        f"the sentence does for {best['diagonal']:.0%} (chosen on every other pair, measured on the rest, {best['words']} words). The means of the layers,\n"
        f"on all pairs: {means}."
    )


def _positional(heads: list[list]) -> str:
    start = "Positional encoder heads, whose greatest weight is at one offset at least 90 % of the time (Voita et al. 2019):"
    if not heads:
        return f"{start} none."
    items = [f"L{layer} H{head} ({offset:+d}: {share:.0%})" for layer, head, offset, share in heads]
    return f"{start} {', '.join(items)}."


def _relations(figures: dict) -> str:
    parts = []
    languages = list(figures["treebanks"])
    for most_words, scores in figures["relations"].items():
        for look in reversed(LOOKS):
            of_look = {(s["relation"], s["language"]): s for s in scores if s["direction"] == look}
            rows = [
                [relation, *(_cell(of_look.get((relation, language))) for language in languages)]
                for relation in sorted({relation for relation, _ in of_look})
            ]
            parts.append(f"{LOOK_NAMES[look]}, sentences of at most {most_words} words, best head / best offset in %:")
            parts.append(_table(["relation", *(LANGUAGES.get(code, code) for code in languages)], rows))
    return "\n\n".join(parts)


def _cell(score: dict | None) -> str:
    """A head's figure and the offset's, in bold where the head gains enough to be worth a word."""
    if score is None:
        return ""
    text = f"{100 * score['accuracy']:.0f} / {100 * score['offset_accuracy']:.0f}"
    if score["accuracy"] - score["offset_accuracy"] >= GAIN:
        text = f"**{text}**"
    return f"{text} (L{score['layer']} H{score['head']})"


def _treebanks(treebanks: dict) -> str:
    return ", ".join(
        f"{entry['treebank']} ({entry['sentences']:,} sentences, {entry['words']:,} words)"
        for entry in treebanks.values()
    )
