"""The training loop and its losses: resumed, in several processes, beside those of torch and transformers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

import attnviz
from training.corpus.pairs import Packed, Pair, batches, pack, pad_rows, texts
from training.corpus.tokenizer import punctuation
from training.network import model
from training.network.cross_entropy import projected_cross_entropy
from training.network.recipe import Recipe
from training.network.train import train

TOKENIZER = Path(attnviz.__file__).parent / "bundled" / "tokenizer.json"


@pytest.fixture
def few_pairs() -> Packed:
    """Forty pairs of four to nine random tokens, as `pack` would leave them."""
    random = np.random.default_rng(0)
    sides = []
    for first in ([], [4]):
        rows = [[*first, *random.integers(6, 90, size=random.integers(4, 10)), model.END] for _ in range(40)]
        starts = np.cumsum([0, *(len(row) for row in rows)], dtype=np.int64)
        sides += [np.array([number for row in rows for number in row], dtype=np.uint16), starts]
    return Packed(*sides, languages=random.integers(4, size=40).astype(np.uint8))


def trained(
    folder: Path, packed: Packed, *, steps: int = 6, processes: int = 1, misread: float = 0.0, hidden: float = 0.0
) -> dict[str, torch.Tensor]:
    recipe = Recipe(
        steps=steps,
        warmup=2,
        decay=2,
        batch_tokens=120,
        dropout=0.0,
        attention_dropout=0.0,
        layers=1,
        width=32,
        heads=2,
        masked=0.0,
        masked_at_last=0.0,
        misread=misread,
        end_hidden=hidden,
        punctuation_hidden=hidden,
        average=1,
    )
    train(packed, 90, recipe, folder, processes=processes, save_every=3, punctuation=(10, 11, 12))
    return torch.load(folder / "averaged.pt", weights_only=True)


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> dict[str, float]:
    """How far apart the matrices are. Not the biases: AdamW makes much of their gradients' rounding.

    Muon makes much of it in matrices too, in the directions of small gradients: hence the generous limits below. Parts
    that were mixed up or left out would be as far apart as they have come.
    """
    return {
        name: float((value - other[name]).norm())
        for name, value in one.items()
        if value.ndim == 2 and not name.endswith(("embed_positions.weight", "final_logits_bias"))
    }


def test_two_processes_train_what_one_does_and_go_on_from_each_others_checkpoint(
    tmp_path: Path, few_pairs: Packed
) -> None:
    first = model.build(90, layers=1, width=32, heads=2).state_dict()
    one = trained(tmp_path / "one", few_pairs)
    two = trained(tmp_path / "two", few_pairs, processes=2)
    way, gap = apart(one, first), apart(one, two)
    assert all(gap[name] < 0.4 * way[name] for name in gap)

    further = trained(tmp_path / "one", few_pairs, steps=12, processes=2)
    way, gap = apart(further, one), apart(further, trained(tmp_path / "two", few_pairs, steps=12))
    assert all(gap[name] < 0.6 * way[name] for name in gap)


@pytest.mark.parametrize("misread", [0.0, 0.3])
def test_an_interrupted_training_ends_where_an_unbroken_one_does(
    tmp_path: Path, few_pairs: Packed, misread: float
) -> None:
    unbroken = trained(tmp_path / "unbroken", few_pairs, misread=misread, hidden=misread)

    class Interrupt(Exception):
        pass

    def interrupted(*_: object) -> None:
        if len(seen) == 5:
            raise Interrupt
        seen.append(1)

    seen: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        real = model.loss
        patch.setattr(model, "loss", lambda *given: interrupted() or real(*given))
        with pytest.raises(Interrupt):
            trained(tmp_path / "broken", few_pairs, misread=misread, hidden=misread)
    assert torch.load(tmp_path / "broken" / "checkpoint.pt", weights_only=True)["step"] == 4
    resumed = trained(tmp_path / "broken", few_pairs, misread=misread, hidden=misread)
    for name, value in unbroken.items():
        torch.testing.assert_close(value, resumed[name], rtol=0, atol=0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("count", [1, 64, 150])
def test_the_projected_cross_entropy_is_that_of_torch(count: int, smoothing: float) -> None:
    """Value and gradients; more rows than are worked on at once, and fewer."""
    generator = torch.Generator().manual_seed(0)
    states = torch.randn((count, 16), generator=generator)
    weight = torch.randn((90, 16), generator=generator)
    target = torch.randint(90, (count,), generator=generator)
    results = []
    for loss in (
        projected_cross_entropy,
        lambda s, w, t, e: torch.nn.functional.cross_entropy(s @ w.T, t, label_smoothing=e),
    ):
        s, w = states.clone().requires_grad_(), weight.clone().requires_grad_()
        value = loss(s, w, target, smoothing)
        (3 * value).backward()
        results.append((value, s.grad, w.grad))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_batches_hold_each_pair_once_and_hardly_any_padding(few_pairs: Packed) -> None:
    plan = batches(few_pairs, 40, seed=3)
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(few_pairs)))
    for rows in plan:
        lengths = np.diff(few_pairs.target_starts)[rows]
        assert len(set(lengths.tolist())) == 1
        assert len(rows) * max(lengths.max(), np.diff(few_pairs.source_starts)[rows].max()) <= 40
        assert (pad_rows(few_pairs.target, few_pairs.target_starts, rows, model.PAD) != model.PAD).all()


def test_sources_of_every_other_pair_are_cut_into_other_pieces_and_say_the_same() -> None:
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    pairs = [Pair("de", "en", "Die Lehrerin beantwortete unsere Fragen.", "The teacher answered our questions.")] * 60
    plain, cut = (pack(pairs, tokenizer, 96, dropout) for dropout in (0.0, 0.3))
    assert tokenizer.model.dropout is None
    np.testing.assert_array_equal(plain.target, cut.target)
    rows = [
        [packed.source[start:stop].tolist() for start, stop in pairwise(packed.source_starts)]
        for packed in (plain, cut)
    ]
    assert rows[0][1::2] == rows[1][1::2]
    assert len({tuple(row) for row in rows[1][::2]}) > 10
    assert {tokenizer.decode(row).strip() for row in rows[1]} == {pairs[0].source}


def test_punctuation_is_pieces_of_nothing_else() -> None:
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    pieces = [tokenizer.id_to_token(number) for number in punctuation(tokenizer)]
    assert {".", ",", "?", "。", "▁„", "“"} <= set(pieces)
    assert not [piece for piece in pieces if any(character.isalnum() for character in piece)]
    assert "▁" not in pieces and "</s>" not in pieces and ">>en<<" not in pieces


def test_the_loss_is_that_of_transformers() -> None:
    network = model.build(90, layers=1, width=32, heads=2).eval()
    source = torch.tensor([[10, 11, 12, 2], [20, 21, 2, 0]])
    target = torch.tensor([[4, 30, 31, 32, 2], [4, 40, 2, 0, 0]])
    start = torch.full((2, 1), model.START)
    theirs = network(
        input_ids=source,
        attention_mask=source != model.PAD,
        decoder_input_ids=torch.cat([start, target[:, :-1]], dim=1),
        labels=target.masked_fill(target == model.PAD, -100),
    ).loss
    torch.testing.assert_close(model.loss(network, source, target, smoothing=0.0), theirs)


def test_hidden_tokens_are_words_of_half_the_sentences() -> None:
    torch.manual_seed(0)
    source = torch.randint(6, 90, (2000, 12))
    source[:, 9], source[:, 10:] = model.END, model.PAD
    read, hidden = model.add_noise(source, 0.5)
    assert not hidden[:, 9:].any()
    assert (read == source)[~hidden].all()
    assert hidden.any(dim=1).float().mean() == pytest.approx(0.5, abs=0.05)
    assert hidden[hidden.any(dim=1), :9].float().mean() == pytest.approx(0.5, abs=0.03)
    shares = [(read == model.MASK)[hidden].float().mean(), (read == source)[hidden].float().mean()]
    assert shares == [pytest.approx(0.6, abs=0.03), pytest.approx(0.2, abs=0.03)]


def test_texts_join_sources_of_one_language(few_pairs: Packed) -> None:
    rows = np.arange(3, 30)
    for parts in (1, 2, 3):
        joined, languages = texts(few_pairs, rows, parts, model.END, model.PAD)
        assert len(joined) == sum(-(-int((few_pairs.languages[rows] == one).sum()) // parts) for one in range(4))
        seen: list[list[int]] = []
        for text, language in zip(joined.tolist(), languages.tolist(), strict=True):
            end = text.index(model.END)
            assert set(text[end + 1 :]) <= {model.PAD}
            own = [row for row in rows if few_pairs.languages[row] == language]
            sources = [
                few_pairs.source[few_pairs.source_starts[row] : few_pairs.source_starts[row + 1] - 1] for row in own
            ]
            rest, took = text[:end], 0
            while rest:
                source = next(one.tolist() for one in sources if rest[: len(one)] == one.tolist())
                seen.append(source)
                rest, took = rest[len(source) :], took + 1
            assert took <= parts
        assert sorted(seen) == sorted(
            few_pairs.source[few_pairs.source_starts[row] : few_pairs.source_starts[row + 1] - 1].tolist()
            for row in rows
        )


def test_a_word_is_misread_as_a_similar_word_of_its_language(few_pairs: Packed) -> None:
    torch.manual_seed(0)
    embeddings = torch.randn(90, 8)
    counts = torch.zeros(2, 90, dtype=torch.long)
    counts[0, :60], counts[1, 50:] = 20, 20
    counts[1, 10] = 9  # too few
    near = model.neighbours(embeddings, counts, 5)
    assert near[0].min() > model.MASK and near[0].max() < 60 and near[1].min() >= 50
    similar = torch.nn.functional.cosine_similarity(embeddings[70:71], embeddings)
    wanted = [number for number in similar.argsort(descending=True).tolist() if number >= 50 and number != 70][:5]
    assert near[1, 70].tolist() == wanted

    text = torch.randint(6, 90, (2000, 12))
    text[:, 9], text[:, 10:] = model.END, model.PAD
    languages = torch.randint(2, (2000,))
    read, chosen = model.misread(text, languages, near, 0.15)
    assert (read == text)[~chosen].all() and not chosen[:, 9:].any()
    assert chosen[:, :9].float().mean() == pytest.approx(0.15, abs=0.01)
    assert (read == model.MASK)[chosen].float().mean() == pytest.approx(0.4, abs=0.03)
    replaced = chosen & (read != model.MASK)
    assert (read != text)[replaced].all()
    rows, columns = replaced.nonzero(as_tuple=True)
    assert (near[languages[rows], text[rows, columns]] == read[rows, columns, None]).any(dim=1).all()


def test_words_look_at_the_end_and_at_punctuation_in_the_other_sentences_only() -> None:
    torch.manual_seed(0)
    source = torch.tensor([[7, 9, 8, model.END, model.PAD]]).repeat(2000, 1)
    assert model.EVERYTHING.visible(source).tolist() == [[True, True, True, True, False]] * 2000
    seen = model.Sight(0.3, 0.6, torch.tensor([9, 50])).visible(source)
    assert seen[:, [0, 2]].all() and not seen[:, 4].any()
    assert seen[:, 3].float().mean() == pytest.approx(0.7, abs=0.03)
    assert seen[:, 1].float().mean() == pytest.approx(0.4, abs=0.03)
    assert (seen[:, 1] & seen[:, 3]).float().mean() == pytest.approx(0.28, abs=0.03)


def test_a_text_without_words_can_still_be_looked_at() -> None:
    source = torch.tensor([[9, 9, model.END, model.PAD], [9, 7, model.END, model.PAD]])
    seen = model.Sight(1.0, 1.0, torch.tensor([9])).visible(source)
    assert seen.tolist() == [[True, True, True, False], [False, True, False, False]]


@pytest.mark.parametrize("layers", [3, 5])
def test_a_grown_encoder_computes_nearly_what_it_did(tmp_path: Path, layers: int) -> None:
    torch.manual_seed(0)
    small = model.build(90, layers=2, width=64, heads=4, embedding_std=0.1).eval()
    for norm in (module for module in small.modules() if isinstance(module, torch.nn.LayerNorm)):
        torch.nn.init.uniform_(norm.weight, 0.5, 1.0)
        torch.nn.init.normal_(norm.bias, std=0.1)
    small.save_pretrained(tmp_path)
    large = model.build(90, layers=2, width=64, heads=4, encoder_layers=layers, seed=5).eval()
    model.read(large, tmp_path / "model.safetensors")
    assert large.config.encoder_layers == layers and large.config.decoder_layers == 2
    ids = torch.tensor([[10, 11, 12, 13, 14, 2]])
    with torch.no_grad():
        before, after = (network.model.encoder(ids).last_hidden_state for network in (small, large))
    assert (after - before).norm() < 0.15 * before.norm()
    old, new = (dict(network.named_parameters()) for network in (small, large))
    name = "model.encoder.layers.{}.self_attn.q_proj.weight"
    # The first layer of the two comes first, once or with its copies; the other comes last.
    assert torch.equal(new[name.format(0)], old[name.format(0)])
    assert torch.equal(new[name.format(1)], old[name.format(0)])
    assert torch.equal(new[name.format(layers - 1)], old[name.format(1)])


def test_judging_counts_the_words_that_are_shown_and_naming_those_that_were_misread() -> None:
    network = model.build(90, layers=1, width=32, heads=2).eval()
    judge = torch.nn.Linear(32, 1)
    text = torch.randint(6, 90, (8, 10))
    text[:, 8], text[:, 9] = model.END, model.PAD
    languages = torch.zeros(8, dtype=torch.long)
    near = model.neighbours(network.model.shared.weight, torch.full((1, 90), 20), 5)
    with torch.no_grad():
        torch.manual_seed(3)
        named, judged = model.judgement(network, judge, text, languages, near, 0.4)
        torch.manual_seed(3)
        read, chosen = model.misread(text, languages, near, 0.4)
        states = network.model.encoder(input_ids=read, attention_mask=text != model.PAD).last_hidden_state
        logits = states @ network.lm_head.weight.T
        torch.testing.assert_close(named, torch.nn.functional.cross_entropy(logits[chosen], text[chosen]))
        chance = torch.sigmoid(judge(states)[..., 0])
        right = torch.where(read != text, chance, 1 - chance)[:, :8]
        torch.testing.assert_close(judged, -right[read[:, :8] != model.MASK].log().mean())

        none = model.judgement(network, judge, text[:1], languages[:1], near, 0.0)
        assert none[0] == 0 and none[1] > 0
        empty = torch.tensor([[model.END, model.PAD]])
        assert model.judgement(network, judge, empty, languages[:1], near, 0.5) == (0, 0)
