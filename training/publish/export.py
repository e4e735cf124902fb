"""From trained weights to a Hugging Face folder in half precision, with what was measured of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from attnviz.measures.findings import NAME, WEIGHTS, fingerprint
from training.network import model
from training.publish.model_card import model_card

LONG = 60
"""Tokens of a translation from which on its end becomes more likely with every token, so that none runs on for ever.

Hardly any training sentence is longer. Without it, a word repeated 200 times or a script that the model has never seen
was answered up to the limit of whoever asked.
"""


def export(work: Path, bundle: Path, weights: Path | None = None) -> None:
    """Writes `bundle/`: the model, recipe.json, and heads.json and MODEL_CARD.md with what `evaluate` measured of it.

    Args:
        work: the training folder with tokenizer.json, run/recipe.json, run/averaged.pt, figures.json and heads.json.
        bundle: where the model is written.
        weights: another state dict than run/averaged.pt.

    Raises:
        ValueError: what was measured is missing, or belongs to other weights; nothing is written then.
    """
    draft = work / "model"
    write_model(work, draft, weights)
    measured = {}
    for name in ("figures.json", NAME):
        path = work / name
        measured[name] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if measured[name].get("weights") != fingerprint(draft / WEIGHTS):
            problem = "was measured on other weights" if measured[name] else "is missing"
            raise ValueError(f"{path} {problem}; run `python -m training evaluate` with the same --work, then export")
    recipes = work / "run" / "recipe.json"
    shutil.copytree(draft, bundle, dirs_exist_ok=True)
    shutil.copy(work / NAME, bundle / NAME)
    shutil.copy(recipes, bundle / recipes.name)
    card = model_card(json.loads(recipes.read_text()), measured["figures.json"], measured[NAME])
    (bundle / "MODEL_CARD.md").write_text(card, encoding="utf-8")


def write_model(work: Path, folder: Path, weights: Path | None = None) -> None:
    """Writes model.safetensors (float16), config.json, generation_config.json and the tokenizer's files.

    The same weights give the same bytes, so that a measurement can name the file that it belongs to.
    """
    recipe = json.loads((work / "run" / "recipe.json").read_text())[-1]
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    network = model.build(
        tokenizer.get_vocab_size(),
        recipe["layers"],
        recipe["width"],
        recipe["heads"],
        encoder_layers=recipe.get("encoder_layers", 0),
    )
    state = torch.load(weights or work / "run" / "averaged.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(state)
    folder.mkdir(parents=True, exist_ok=True)
    network.config.dropout = network.config.attention_dropout = 0.0
    network.generation_config.update(bad_words_ids=[[model.PAD]], exponential_decay_length_penalty=(LONG, 1.1))
    network.half().save_pretrained(folder)
    # Written for its owner alone otherwise; a container runs as somebody else.
    (folder / WEIGHTS).chmod(0o644)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=512,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)
