"""The stages of the training by command, from a few pairs to a model with its card."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.training import TREES
from tokenizers import Tokenizer

import attnviz
from attnviz.measures import findings
from attnviz.models.model import Model
from attnviz.roles.corpora import treebank
from attnviz.roles.measurement import relations
from training import __main__ as command
from training.corpus.pairs import Packed
from training.corpus.tokenizer import train_tokenizer
from training.evaluation import evaluate, probes, progress
from training.network import model
from training.network.recipe import Recipe
from training.network.train import train
from training.publish.export import export, write_model
from training.publish.model_card import _recipe as model_card_recipes


@pytest.fixture
def small_work(tmp_path: Path) -> tuple[Path, Path]:
    """A corpus of a few lines, and a training folder with an untrained network."""
    corpus, work = tmp_path / "corpus", tmp_path / "work"
    (corpus / "tatoeba").mkdir(parents=True)
    (corpus / "ud").mkdir()
    for language, pair in {"de": "Hallo.\tHello.", "nl": "Dag.\tHello.", "zh": "你好。\tHello."}.items():
        (corpus / "tatoeba" / f"{language}-en.test.tsv").write_text(f"{pair}\n{pair}\n", encoding="utf-8")
    (corpus / "ud" / "de_small-ud-dev.conllu").write_text((TREES + "\n") * 30, encoding="utf-8")
    (work / "run").mkdir(parents=True)
    words = ["Er ging zum Haus.", "Der Hund sah den Ball und bellt.", "De kat zit op de mat.", "The cat sits."]
    tokenizer = train_tokenizer(words * 5, 420)
    tokenizer.save(str(work / "tokenizer.json"))
    recipe = Recipe(steps=1, layers=2, width=16, heads=2)
    (work / "run" / "recipe.json").write_text(json.dumps([asdict(recipe)]))
    network = model.build(tokenizer.get_vocab_size(), 2, 16, 2)
    torch.save(network.state_dict(), work / "run" / "averaged.pt")
    return corpus, work


def test_from_weights_to_card_by_command(
    small_work: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, work = small_work
    monkeypatch.setattr(relations, "FEWEST", 10)
    monkeypatch.setattr(probes, "HOSTILE", {"one word 9 times": "Hund " * 9})
    bundle = tmp_path / "bundle"
    with pytest.raises(ValueError, match=r"figures\.json is missing; run `python -m training evaluate`"):
        export(work, bundle)
    assert not bundle.exists()

    figures = evaluate.evaluate(corpus, work, beams=(1,))
    assert {entry["language"] for entry in figures["heads"]["relations"]["40"]} == {"de"}
    assert figures["heads"]["treebanks"]["de"]["treebank"] == "de_small"
    assert json.loads((work / "figures.json").read_text(encoding="utf-8"))["directions"].keys() == {
        "de-en",
        "nl-en",
        "zh-en",
        "en-de",
    }

    export(work, bundle)
    card = (bundle / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| de → en | 2 |" in card
    assert "sentences of at most 40 words" in card
    assert findings.findings(str(bundle)).opening_layer in (0, 1)
    assert json.loads((bundle / "heads.json").read_text())["weights"] == findings.fingerprint(
        bundle / "model.safetensors"
    )
    attnviz.load(bundle, device="cpu").record("Hallo.")

    state = torch.load(work / "run" / "averaged.pt", weights_only=True)
    torch.save({name: value * 1.5 for name, value in state.items()}, work / "run" / "averaged.pt")
    with pytest.raises(ValueError, match=r"figures\.json was measured on other weights"):
        export(work, bundle)
    assert findings.fingerprint(bundle / "model.safetensors") == figures["weights"]


def test_the_first_stages_make_a_vocabulary_and_integers(
    small_work: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, work = small_work
    for path in (corpus / "tatoeba").glob("*.test.tsv"):
        for split in ("dev", "train"):
            path.with_name(path.name.replace("test", split)).write_text(path.read_text(encoding="utf-8"))

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["training", *arguments, "--corpus", str(corpus), "--work", str(work)])
        command.main()
        return capsys.readouterr().out

    said = run("tokenizer", "--vocabulary", "280")
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == 280
    of_hello = len(tokenizer.encode("Hello.", add_special_tokens=False).ids)
    assert said.startswith("280 entries; tokens a sentence of the dev splits: de ")
    assert f", en {of_hello:.1f}\n" in said
    words = [
        word
        for sentence in treebank.read_conllu((TREES + "\n").splitlines(), "x")
        for word in re.findall(r"\w+", sentence.text)
    ]
    pieces = [len(tokenizer.encode(word, add_special_tokens=False).ids) for word in words]
    assert f"words of de_small-ud-dev: {np.mean(np.equal(pieces, 1)):.0%} are one token, " in said
    assert f"{np.mean(pieces):.2f} tokens a word" in said

    # Two pairs in each of four directions, of which one word is never long; and a tenth of them, joined, is none.
    assert run("pack").startswith("8 pairs, ")
    packed = Packed.open(work / "packed.npz")
    assert (
        tokenizer.decode(packed.target[packed.target_starts[0] : packed.target_starts[1]].tolist()).strip() == "Hello."
    )


def test_progress_shows_what_a_checkpoint_is_worth(
    small_work: tuple[Path, Path], bundled: Model, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, work = small_work
    for path in (corpus / "tatoeba").glob("*.test.tsv"):
        path.with_name(path.name.replace("test", "dev")).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(relations, "FEWEST", 10)
    with pytest.raises(FileNotFoundError):
        progress.progress(corpus, work)
    network = torch.load(work / "run" / "averaged.pt", weights_only=True)
    torch.save({"network": network, "step": 7}, work / "run" / "checkpoint.pt")
    progress.progress(corpus, work)
    said = capsys.readouterr().out
    assert (
        said.startswith("step 7 of 1: cross-entropy, nats a token: de-en ")
        and "nats a sentence, which vocabularies can be compared by: de-en " in said
        and "encoder layer 1, words' attention" in said
    )
    assert (work / "progress" / "model.safetensors").exists()
    torch.save({"network": network, "step": 1}, work / "run" / "checkpoint.pt")
    progress.progress(corpus, work)
    assert capsys.readouterr().out.startswith("step 1 of 1, the average: ")

    # Both sentences of a split are one: its cross-entropy is that of transformers.
    inputs = bundled.tokenizer("Hallo.", return_tensors="pt")["input_ids"]
    ids = [bundled.tokenizer.convert_tokens_to_ids(">>en<<"), *bundled.tokenizer("Hello.")["input_ids"]]
    with torch.no_grad():
        logits = bundled.network(input_ids=inputs, decoder_input_ids=torch.tensor([[model.START, *ids[:-1]]])).logits
    expected = torch.nn.functional.cross_entropy(logits[0].float(), torch.tensor(ids)).item()
    assert progress.entropy(bundled, corpus, "de", "en") == pytest.approx((expected, expected * len(ids)), rel=1e-4)

    # What a head gives the end token, over the words of each sentence.
    sums = np.zeros(bundled.network.config.encoder_attention_heads)
    for sentence in progress.LOOKED_AT:
        recording = bundled.record(sentence)
        for head in range(len(sums)):
            map = recording.map("encoder", layer=2, head=head)
            assert map.key_tokens[-1].text == "</s>"
            sums[head] += map.weights[:-1, -1].mean() / len(progress.LOOKED_AT)
    name, least, greatest = progress.shares(bundled)[2][0]
    assert (name, least, greatest) == ("</s>", pytest.approx(sums.min()), pytest.approx(sums.max()))


def test_a_run_can_begin_with_the_weights_of_another(small_work: tuple[Path, Path], tmp_path: Path) -> None:
    """What `export` left is enough: nothing else is kept of a run between machines."""
    work, bundle = small_work[1], tmp_path / "bundle"
    write_model(work, bundle)
    first = {"steps": 1, "said": "by the first run"}
    (bundle / "recipe.json").write_text(json.dumps([first]))
    recipe = Recipe(steps=2, warmup=1, decay=1, batch_tokens=60, layers=2, width=16, heads=2, average=1, kept=0.2)
    still = replace(recipe, learning_rate=0.0)
    vocabulary = attnviz.load(bundle, device="cpu").network.config.vocab_size
    tokens = np.array([20, 21, 22, model.END] * 2, dtype=np.uint16)
    packed = Packed(tokens, np.array([0, 4, 8]), tokens, np.array([0, 4, 8]), np.array([0, 0], dtype=np.uint8))

    train(packed, vocabulary, still, tmp_path / "run", start=bundle)
    begun = torch.load(tmp_path / "run" / "averaged.pt", weights_only=True)
    ended = torch.load(work / "run" / "averaged.pt", weights_only=True)
    for name, value in ended.items():
        torch.testing.assert_close(begun[name], value, rtol=1e-3, atol=1e-4)  # the file has half precision
    recipes = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert recipes == [first, asdict(still)]

    two = model_card_recipes([asdict(recipe), asdict(still)])
    assert "2 runs" in two and "\n1. 2 steps" in two and "\n2. 2 steps" in two and "peak rate 0:" in two
    assert "15% of its words hidden or replaced by similar words" in two and "in 50% of the sentences" in two

    # Gone on with by the same command or without naming the start, it still says where it comes from.
    train(packed, vocabulary, replace(still, steps=3), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())[0] == first

    # Of what it began with the result keeps a share.
    train(packed, vocabulary, replace(recipe, steps=3), tmp_path / "kept", start=bundle)
    last, kept = (
        torch.load(tmp_path / "kept" / f"{name}.pt", weights_only=True) for name in ("weights-0000003", "averaged")
    )
    moved = 0.0
    for name, value in kept.items():
        torch.testing.assert_close(value, 0.8 * last[name] + 0.2 * begun[name])
        moved += float((value - begun[name]).norm())
    assert moved > 0.1
    assert "with 20% of the weights that it began with" in two

    with pytest.raises(ValueError, match="does not hold the weights of a network with 1 layers, width 16"):
        train(packed, vocabulary, replace(recipe, layers=1), tmp_path / "other", start=bundle)
