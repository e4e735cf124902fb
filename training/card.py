"""The bundled model's card, made from its recipe and its measured figures; no figure is typed."""

from __future__ import annotations

from torch import nn


def model_card(recipe: dict, figures: dict, network: nn.Module) -> str:
    """The text of MODEL_CARD.md.

    Args:
        recipe: `Recipe` as a dictionary.
        figures: what `training.evaluate.evaluate` returned.
        network: for the number of parameters.
    """
    parameters = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    sizes = sorted(next(iter(figures["directions"].values())).keys() & {"beam1", "beam4"})
    names = {"beam1": "greedy", "beam4": "beam 4"}
    header = (
        "| direction | sentences | "
        + " | ".join(f"BLEU, {names[size]} | chrF, {names[size]}" for size in sizes)
        + " | names the target language itself |\n|"
        + "---|" * (3 + 2 * len(sizes))
    )
    rows = []
    for direction, entry in figures["directions"].items():
        cells = " | ".join(f"{entry[size]['bleu']:.1f} | {entry[size]['chrf']:.1f}" for size in sizes)
        name = direction.replace("-", " → ")
        rows.append(f"| {name} | {entry['sentences']:,} | {cells} | {entry['names_target']:.1%} |")
    table = "\n".join([header, *rows])
    return f"""---
license: cc-by-2.0
language: [de, nl, zh, en]
---
# The bundled translation transformer

A small encoder–decoder transformer that translates German, Dutch and Chinese (Simplified) into English and English into
German. It ships with attnviz so that there is something real to look at with nothing downloaded. It is made to be
looked at, not to be relied on: it knows short everyday sentences and little else.

- Architecture: Marian, as in "Attention Is All You Need": {recipe["layers"]} + {recipe["layers"]} layers, d = {recipe["width"]}, {recipe["heads"]} heads a layer,
  feed-forward {4 * recipe["width"]}, sinusoidal positions, one embedding for encoder, decoder and output.
  {parameters / 1e6:.1f} million parameters, stored in half precision.
- Vocabulary: {network.config.vocab_size:,} byte-pair pieces for all four languages; characters that it does not hold are spelt in bytes.
- The encoder sees the bare sentence. The decoder's first prediction names the target language (`>>en<<`, `>>de<<`); whoever
  wants the other one puts that token there.

## Data, licence, attribution

Sentence pairs from Tatoeba (https://tatoeba.org), CC BY 2.0 FR, by their contributors; German, Dutch and part of the
Chinese selection via www.manythings.org/anki. Changes: normalised, deduplicated, filtered; Chinese converted to
Simplified. The weights are offered under CC BY 2.0 with the same attribution.
The sentences that the app shows as examples, and their plain translations, were taken out of the training data.
The pairs are volunteers' work: some are wrong, and the model has learned what they say, common names and clichés included.

## Recipe

{recipe["steps"]:,} steps of about {recipe["batch_tokens"]:,} tokens (padding included), {recipe["warmup"]} of warm-up, the last {recipe["decay"]} with a falling rate (1 - √);
peak rate {recipe["learning_rate"]:g}; Muon for the matrices inside the layers, AdamW for the rest; label smoothing {recipe["smoothing"]:g}, dropout {recipe["dropout"]:g};
bfloat16 autocast; {"the last weights" if recipe["average"] == 1 else f"the mean of the last {recipe['average']} weights"}; seed {recipe["seed"]}. No attention was supervised or arranged.
`training/` makes it again: see `training/README.md`.

## Measured

On the test splits (no English test sentence occurs in any training pair), with the weights as shipped, computed in bfloat16:

{table}

Signatures: `{figures["signatures"]["bleu"]}`, `{figures["signatures"]["chrf"]}`.
The last column: how often the model's own first token is the right language, on the first 300 sentences.
"""
