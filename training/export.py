"""From trained weights to a Hugging Face folder in half precision."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from training import model


def export(work: Path, bundle: Path, weights: Path | None = None) -> None:
    """Writes `bundle/`: model.safetensors (float16), config.json, generation_config.json, tokenizer files, model card.

    Args:
        work: the training folder with tokenizer.json, run/recipe.json and run/averaged.pt.
        bundle: where the model is written.
        weights: another state dict than run/averaged.pt.
    """
    recipe = json.loads((work / "run" / "recipe.json").read_text())
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    network = model.build(tokenizer.get_vocab_size(), recipe["layers"], recipe["width"], recipe["heads"])
    state = torch.load(weights or work / "run" / "averaged.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(state)
    bundle.mkdir(parents=True, exist_ok=True)
    network.config.dropout = 0.0
    network.generation_config.update(bad_words_ids=[[model.PAD]])
    network.half().save_pretrained(bundle)
    # Written for its owner alone otherwise; a container runs as somebody else.
    (bundle / "model.safetensors").chmod(0o644)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=512,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        clean_up_tokenization_spaces=False,
    ).save_pretrained(bundle)
    if (work / "figures.json").exists():
        from training.card import model_card

        figures = json.loads((work / "figures.json").read_text())
        (bundle / "MODEL_CARD.md").write_text(model_card(recipe, figures, network), encoding="utf-8")
    elif (work / "MODEL_CARD.md").exists():
        shutil.copy(work / "MODEL_CARD.md", bundle)
