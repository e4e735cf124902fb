"""What a running training has come to: figures of its last checkpoint that take seconds, not the minutes of `evaluate`.

They are those of the tables in training/README.md. They do not replace a look at the maps: open the app with
`?model=WORK/progress`, the folder's whole path, and go to the overview.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

import attnviz
from attnviz.models.model import Model
from attnviz.roles.corpora import treebank
from attnviz.roles.measurement import relations
from training.corpus.pairs import DIRECTIONS, Pair, batches, pack, pad_rows, read_pairs
from training.evaluation import probes, sources
from training.network import model
from training.publish.export import write_model

SENTENCES = 400
"""Of each dev split, from its beginning."""

LOOKED_AT = (
    "Der Hund sah den Ball.",
    "Die alte Frau kauft jeden Morgen frisches Brot beim Bäcker.",
    "Gestern hat mein Bruder seinem Freund ein Buch gegeben.",
)
"""The sentences whose words' attention is summed up."""

RELATIONS = ("obj", "nsubj", "aux")


def progress(corpus: Path, work: Path) -> None:
    """Prints figures of `work/run/checkpoint.pt`, or of `averaged.pt` beside it where the run has ended.

    Leaves the model that they are of in `work/progress`.

    Raises:
        FileNotFoundError: there is no checkpoint yet.
    """
    state = torch.load(work / "run" / "checkpoint.pt", map_location="cpu", weights_only=True)
    steps = json.loads((work / "run" / "recipe.json").read_text())[-1]["steps"]
    ended = state["step"] == steps and (work / "run" / "averaged.pt").exists()
    weights = work / "progress.pt"
    torch.save(state["network"], weights)
    write_model(work, work / "progress", None if ended else weights)
    weights.unlink()
    name = f"step {state['step']} of {steps}{', the average' if ended else ''}"
    show(attnviz.load(work / "progress", device="cpu", dtype="float32"), corpus, name)


def show(loaded: Model, corpus: Path, name: str) -> None:
    """Prints the figures of any model of this shape, `name` before them."""
    entropies = {f"{source}-{target}": entropy(loaded, corpus, source, target) for source, target in DIRECTIONS}
    tokens = ", ".join(f"{direction} {of_token:.3f}" for direction, (of_token, _) in entropies.items())
    print(f"{name}: cross-entropy, nats a token: {tokens}", flush=True)
    sentences = ", ".join(f"{direction} {of_sentence:.1f}" for direction, (_, of_sentence) in entropies.items())
    print(f"nats a sentence, which vocabularies can be compared by: {sentences}", flush=True)
    print(f"sah tied to Hund and Ball in {', '.join(probes.verb_heads(loaded)) or 'no head'}")
    best = (f"{head} {share:.0%}" for head, share in probes.best_ties(loaded, 3))
    print(f"verb tied to subject and object in other sentences of that shape: {', '.join(best)}")
    for layer, of_layer in enumerate(shares(loaded)):
        parts = (f"{name} {low:.0%}–{high:.0%}" for name, low, high in of_layer)
        print(f"encoder layer {layer}, words' attention, least to greatest head: {', '.join(parts)}")
    path = sources.treebanks(corpus).get("de")
    if path is None:
        return
    with path.open(encoding="utf-8") as lines:
        instances = relations.collect(loaded, treebank.sample(treebank.read_conllu(lines, path.name)))
    for best, *_ in relations.scores("de", instances):
        if best.relation in RELATIONS:
            print(
                f"German {best.relation}, {best.direction}: L{best.layer} H{best.head} {best.accuracy:.0%}, "
                f"best fixed offset {best.offset_accuracy:.0%}"
            )


def entropy(loaded: Model, corpus: Path, source: str, target: str) -> tuple[float, float]:
    """Cross-entropy of the first dev sentences of one direction, in nats a token and a sentence, without smoothing."""
    rows = read_pairs(corpus, "dev", source if source != "en" else target)[:SENTENCES]
    pairs = [Pair(source, target, *(row if source != "en" else reversed(row))) for row in rows]
    packed = pack(pairs, loaded.tokenizer.backend_tokenizer, max_tokens=96)
    total, tokens = 0.0, 0
    for chosen in batches(packed, 4096, seed=0):
        read = torch.from_numpy(pad_rows(packed.source, packed.source_starts, chosen, model.PAD))
        wanted = torch.from_numpy(pad_rows(packed.target, packed.target_starts, chosen, model.PAD))
        count = int((wanted != model.PAD).sum())
        with torch.no_grad():
            total += count * model.loss(loaded.network, read, wanted, smoothing=0.0).item()
        tokens += count
    return total / tokens, total / len(packed)


def shares(loaded: Model) -> list[list[tuple[str, float, float]]]:
    """For each encoder layer what share of their attention the words give to what, of the least and greatest head.

    The mean over the words of a sentence, then over `LOOKED_AT`.
    """
    sums: np.ndarray = np.zeros(())
    for sentence in LOOKED_AT:
        recording = loaded.record(sentence)
        tokens = recording.query_tokens("encoder")
        words = [position for position, token in enumerate(tokens) if not token.special]
        ends = [position for position, token in enumerate(tokens) if token.special]
        stops = [position for position in words if tokens[position].text.strip() == "."]
        layers = recording.size("encoder")[0]
        weights = np.stack([recording.weights("encoder", layer=layer).numpy() for layer in range(layers)])
        rows = weights[:, :, words]  # (layers, heads, words, keys)
        own = weights[:, :, words, words].mean(axis=2)
        to = [rows[..., ends].sum(axis=3).mean(axis=2), rows[..., stops].sum(axis=3).mean(axis=2), own]
        sums = sums + np.stack(to) / len(LOOKED_AT)
    names = ("</s>", "full stop", "own token")
    return [
        [(name, float(of.min()), float(of.max())) for name, of in zip(names, sums[:, layer], strict=True)]
        for layer in range(sums.shape[1])
    ]
