"""What the trained model is worth: sacreBLEU and chrF on the test splits."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from sacrebleu.metrics import BLEU, CHRF
from tokenizers import Tokenizer
from torch import Tensor
from transformers import MarianMTModel

from training import model
from training.data import DIRECTIONS, read_pairs

BATCH = 100
MAX_NEW_TOKENS = 96


def translate(
    network: MarianMTModel, tokenizer: Tokenizer, sentences: list[str], language: str, beams: int
) -> list[str]:
    """The translations of `sentences` into `language` ("en", "de"), in their order.

    The target language is forced as the first token, so that what is measured is the translation, not whether the
    model guessed the direction.
    """
    ids = [encoding.ids for encoding in tokenizer.encode_batch(sentences)]
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    result = [""] * len(sentences)
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        length = max(len(ids[row]) for row in rows)
        source = torch.full((len(rows), length), model.PAD)
        for place, row in enumerate(rows):
            source[place, : len(ids[row])] = torch.tensor(ids[row])
        output = _generate(network, source, tokenizer.token_to_id(f">>{language}<<"), beams)
        for row, sequence in zip(rows, output.tolist(), strict=True):
            result[row] = tokenizer.decode(sequence, skip_special_tokens=True).strip()
    return result


def _generate(network: MarianMTModel, source: Tensor, language: int, beams: int) -> Tensor:
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        return network.generate(
            input_ids=source,
            attention_mask=(source != model.PAD).long(),
            decoder_input_ids=torch.tensor([[model.START, language]]).expand(len(source), 2),
            max_new_tokens=MAX_NEW_TOKENS,
            num_beams=beams,
            do_sample=False,
        )


def guessed(network: MarianMTModel, tokenizer: Tokenizer, sentences: list[str], language: str) -> float:
    """The share of sentences for which the model itself names `language` as its first token, in [0, 1]."""
    right = 0
    for sentence in sentences:
        source = torch.tensor([tokenizer.encode(sentence).ids])
        with torch.no_grad():
            logits = network(input_ids=source, decoder_input_ids=torch.tensor([[model.START]])).logits[0, -1]
        right += int(logits.argmax()) == tokenizer.token_to_id(f">>{language}<<")
    return right / len(sentences)


def evaluate(corpus: Path, work: Path, weights: Path | None = None, beams: tuple[int, ...] = (1,)) -> dict:
    """Measures the model on the test splits and writes `work/figures.json`.

    Args:
        corpus: the folder with tatoeba/.
        work: the training folder.
        weights: another state dict than run/averaged.pt.
        beams: which beam sizes to measure; 1 is greedy.
    """
    recipe = json.loads((work / "run" / "recipe.json").read_text())
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    network = model.build(tokenizer.get_vocab_size(), recipe["layers"], recipe["width"], recipe["heads"]).eval()
    path = weights or work / "run" / "averaged.pt"
    # Measured as it ships: rounded to half precision.
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict({name: value.half().to(value.dtype) for name, value in state.items()})
    figures: dict = {"directions": {}, "signatures": {}}
    for source, target in DIRECTIONS:
        foreign = source if source != "en" else target
        pairs = read_pairs(corpus, "test", foreign)
        sources = [pair[0] if source == foreign else pair[1] for pair in pairs]
        references = [pair[1] if source == foreign else pair[0] for pair in pairs]
        entry: dict = {"sentences": len(pairs), "names_target": guessed(network, tokenizer, sources[:300], target)}
        for size in beams:
            started = time.perf_counter()
            output = translate(network, tokenizer, sources, target, size)
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
    (work / "figures.json").write_text(json.dumps(figures, indent=2))
    return figures
