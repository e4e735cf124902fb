"""What the trained model is worth: its translations, what its heads have learned, and a few sentences known in advance.

It measures the very file that ships: the weights are first written in half precision into `WORK/model`, read from
there, and named in the results by their SHA-256.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import torch
from sacrebleu.metrics import BLEU, CHRF

import attnviz
from attnviz.measures.findings import NAME, WEIGHTS, fingerprint
from attnviz.models.model import Model
from attnviz.roles.corpora import aligned_pairs, treebank
from attnviz.roles.measurement import alignment, relations
from training.corpus.pairs import DIRECTIONS, read_pairs
from training.evaluation import probes, sources
from training.evaluation.findings import heads_file
from training.network import model
from training.publish.export import write_model

MAX_NEW_TOKENS = 96
SOURCE_TOKENS = 2000
"""Of a batch's sentences, padding included, times the beams."""

BEAMS = (1, 4)
SHORT = 12
"""Words of the sentences that the heads are scored on a second time: those that people type are not much longer."""


def evaluate(
    corpus: Path, work: Path, device: str = "cpu", beams: tuple[int, ...] = BEAMS, weights: Path | None = None
) -> dict:
    """Measures the model and writes `work/figures.json` and `work/heads.json`.

    Args:
        corpus: the folder with tatoeba/ and ud/.
        work: the training folder.
        device: where to compute.
        beams: which beam sizes to measure; 1 is greedy.
        weights: another state dict than run/averaged.pt.

    Returns:
        What figures.json holds.
    """
    started, busy = time.perf_counter(), time.process_time()
    banks = sources.treebanks(corpus)
    write_model(work, work / "model", weights)
    loaded = attnviz.load(work / "model", device=device, dtype="float32")
    figures: dict = {
        "weights": fingerprint(work / "model" / WEIGHTS),
        "parameters": _parameters(loaded),
        "vocabulary": loaded.network.config.vocab_size,
    }
    figures["checks"] = probes.measure(loaded)
    print(f"checks: {_brief(figures['checks'])}", flush=True)
    figures["heads"], heads = measure_heads(loaded, banks, figures["weights"])
    figures |= translations(loaded, corpus, beams)
    (work / "figures.json").write_text(json.dumps(figures, indent=2, ensure_ascii=False), encoding="utf-8")
    (work / NAME).write_text(json.dumps(heads, indent=1), encoding="utf-8")
    spent = f"{time.perf_counter() - started:.0f} s, {time.process_time() - busy:.0f} s of them computing"
    print(f"written: {work / 'figures.json'} and {work / NAME}, in {spent}", flush=True)
    return figures


def _parameters(loaded: Model) -> int:
    return sum(parameter.numel() for parameter in loaded.network.parameters() if parameter.requires_grad)


def _brief(checks: dict) -> str:
    verb, nouns = checks["verb"], checks["nouns"]
    given = nouns["given"]
    return (
        f"{verb['word']} tied to {' and '.join(verb['ties'])} in {verb['heads'] or 'no head'}; "
        f"{nouns['translation']!r}; {', '.join(nouns['links'])} in the row before {given['before'] or 'nowhere'}, "
        f"in their own row {given['own'] or 'nowhere'}"
    )


# The heads ----------------------------------------------------------------------------------------------------------


def measure_heads(loaded: Model, banks: dict[str, Path], weights: str) -> tuple[dict, dict]:
    """What the heads have learned.

    Returns:
        For figures.json: of every relation the head that is best on the half for choosing, with the treebanks and the
        alignment of every cross-attention head. And the content of heads.json.
    """
    everything: dict[int, list[list[relations.Score]]] = {treebank.MOST_WORDS: [], SHORT: []}
    all_instances, treebanks = [], {}
    for language, path in banks.items():
        with path.open(encoding="utf-8") as lines:
            sentences = treebank.sample(treebank.read_conllu(lines, path.name))
        instances = relations.collect(loaded, sentences)
        all_instances.append(instances)
        for most_words, groups in everything.items():
            groups += relations.scores(language, instances.of_at_most(most_words))
        treebanks[language] = {
            "treebank": path.stem.removesuffix("-ud-dev"),
            "sentences": instances.sentences,
            "words": instances.words,
            "left_out": round(instances.left_out, 4),
        }
        print(f"heads: {language}, {instances.sentences} sentences, {len(instances.relation):,} instances", flush=True)
    pairs = list(aligned_pairs.read_alignments(sources.PAIRS.read_text(encoding="utf-8").splitlines()))
    aligned = alignment.collect(loaded, pairs)
    of_alignments = alignment.scores(aligned)
    of_positions = relations.positional(all_instances)
    layers, heads = all_instances[0].correct.shape[1:]
    figures = {
        "treebanks": treebanks,
        "relations": {
            str(most_words): [_round(group[0]) for group in groups] for most_words, groups in everything.items()
        },
        "positional": [list(entry) for entry in of_positions],
        "alignment": {
            "pairs": aligned.pairs,
            "by_rows": {
                rows: [round(float(share), 3) for share in aligned.correct[rows][:, :, -1].mean(axis=0)]
                for rows in alignment.ROWS
            },
            "scores": [_round(score) for score in of_alignments],
        },
    }
    return figures, heads_file(weights, layers, heads, everything, of_positions, of_alignments)


def _round(score: relations.Score | alignment.AlignmentScore) -> dict:
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in dataclasses.asdict(score).items()
    }


# The translations ---------------------------------------------------------------------------------------------------


def translations(loaded: Model, corpus: Path, beams: tuple[int, ...] = BEAMS) -> dict:
    """sacreBLEU and chrF on the test splits, in every direction and for every beam size, with their signatures."""
    figures: dict = {"directions": {}, "signatures": {}}
    for source, target in DIRECTIONS:
        foreign = source if source != "en" else target
        pairs = read_pairs(corpus, "test", foreign)
        sources = [pair[0] if source == foreign else pair[1] for pair in pairs]
        references = [pair[1] if source == foreign else pair[0] for pair in pairs]
        entry: dict = {"sentences": len(pairs), "names_target": named_language_share(loaded, sources[:300], target)}
        for size in beams:
            started = time.perf_counter()
            output = translate(loaded, sources, target, size)
            bleu, chrf = BLEU(), CHRF()
            entry[f"beam{size}"] = {
                "bleu": round(bleu.corpus_score(output, [references]).score, 2),
                "chrf": round(chrf.corpus_score(output, [references]).score, 2),
            }
            figures["signatures"] = {"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())}
            print(
                f"{source}-{target} beam {size}: {entry[f'beam{size}']} in {time.perf_counter() - started:.0f} s",
                flush=True,
            )
        figures["directions"][f"{source}-{target}"] = entry
    return figures


def translate(loaded: Model, sentences: list[str], language: str, beams: int = 1) -> list[str]:
    """The translations of `sentences` into `language` ("en", "de"), in their order.

    The target language is forced as the first token, so that what is measured is the translation, not whether the
    model guessed the direction.
    """
    ids = [loaded.tokenizer(sentence)["input_ids"] for sentence in sentences]
    first = torch.tensor([[model.START, loaded.tokenizer.convert_tokens_to_ids(f">>{language}<<")]])
    result = [""] * len(sentences)
    for rows in _batches([len(numbers) for numbers in ids], SOURCE_TOKENS // beams):
        length = max(len(ids[row]) for row in rows)
        source = torch.full((len(rows), length), model.PAD)
        for row_in_batch, row in enumerate(rows):
            source[row_in_batch, : len(ids[row])] = torch.tensor(ids[row])
        source = source.to(loaded.device)
        with torch.no_grad(), torch.autocast(loaded.device.type, dtype=torch.bfloat16):
            output = loaded.network.generate(
                input_ids=source,
                attention_mask=(source != model.PAD).long(),
                decoder_input_ids=first.expand(len(rows), 2).to(loaded.device),
                max_new_tokens=MAX_NEW_TOKENS,
                num_beams=beams,
                do_sample=False,
            )
        for row, sequence in zip(rows, output.tolist(), strict=True):
            result[row] = loaded.tokenizer.decode(sequence, skip_special_tokens=True).strip()
    return result


def _batches(lengths: list[int], tokens: int) -> list[list[int]]:
    """Indices of sentences of about one length, so many that they have at most `tokens` with their padding."""
    result: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not result or (len(result[-1]) + 1) * lengths[index] > tokens:
            result.append([])
        result[-1].append(index)
    return result


def named_language_share(loaded: Model, sentences: list[str], language: str) -> float:
    """The share of sentences for which the model itself names `language` as its first token, in [0, 1]."""
    right = 0
    wanted = loaded.tokenizer.convert_tokens_to_ids(f">>{language}<<")
    for sentence in sentences:
        source = torch.tensor([loaded.tokenizer(sentence)["input_ids"]], device=loaded.device)
        start = torch.tensor([[model.START]], device=loaded.device)
        with torch.no_grad():
            logits = loaded.network(input_ids=source, decoder_input_ids=start).logits[0, -1]
        right += int(logits.argmax()) == wanted
    return right / len(sentences)
