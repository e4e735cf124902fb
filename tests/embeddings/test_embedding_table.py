"""The table of static embeddings: words and their vectors, cosines, angles, axes of most variance, neighbours."""

from __future__ import annotations

import gc
import math

import numpy as np
import pytest
import torch
from support import tiny_models
from support import tiny_tokenizers as tokenizers_for_tests
from support.bundled import bundled_model

import attnviz
from attnviz.embeddings import embedding_table as module
from attnviz.embeddings.embedding_table import Vocabulary
from attnviz.embeddings.vectors import components, cosines, plane
from attnviz.errors import EmptyError, InputError, NoTokenizerError


@pytest.fixture(scope="module")
def bundled() -> attnviz.Model:
    return bundled_model()


def small(name: str = "gpt2", tokenizer: str = "gpt2", **changes: object) -> attnviz.Model:
    made = getattr(tokenizers_for_tests, tokenizer)()
    return attnviz.Model(tiny_models.network(name, vocab_size=len(made), **changes), made, name=name)


# Words --------------------------------------------------------------------------------------------------------------


def test_words_of_a_text_are_placed_once_and_in_order(bundled: attnviz.Model) -> None:
    words = Vocabulary(bundled).words("Der Hund sah den Hund.", ["dog", "Hund"])
    assert [word.label for word in words] == ["Der", "Hund", "sah", "den", ".", "dog"]
    assert [word.added for word in words] == [False] * 5 + [True]


def test_a_word_has_its_row_of_the_table(bundled: attnviz.Model) -> None:
    (word,) = Vocabulary(bundled).words("Hund")
    (index,) = word.ids
    np.testing.assert_array_equal(word.vector, bundled.network.get_input_embeddings().weight[index].detach().numpy())


@pytest.mark.parametrize("tokenizer", ["gpt2", "llama", "wordpiece", "unigram"])
def test_a_word_of_several_pieces_is_their_mean(tokenizer: str) -> None:
    model = small("bert", tokenizer)
    words = Vocabulary(model).words("The teacher", ["zyx", "sah"])
    assert [word.label.casefold() for word in words] == ["the", "teacher", "zyx", "sah"]
    assert any(len(word.pieces) > 1 for word in words)
    table = model.network.get_input_embeddings().weight.detach().numpy()
    for word in words:
        np.testing.assert_allclose(word.vector, table[list(word.ids)].mean(axis=0), atol=1e-6)


def test_a_further_word_is_cut_as_if_it_followed_the_text() -> None:
    model = small()
    words = Vocabulary(model).words("The", ["dogs"])
    assert "".join(piece.text for piece in words[-1].pieces) == " dogs"


def test_what_is_typed_is_never_markup_or_an_error(bundled: attnviz.Model) -> None:
    hostile = ["<b>x</b>", "$a$", "``", "写作", "👩‍👩‍👧", "ﷺ", "\u202eabc", "%00", "&amp;"]
    words = Vocabulary(bundled).words("Der *Hund* </s> [x](y)", hostile)
    assert len({word.label for word in words}) == len(words)
    assert all(np.isfinite(word.vector).all() for word in words)


def test_of_a_decoder_the_target_is_read(bundled: attnviz.Model) -> None:
    words = Vocabulary(bundled, of_decoder=True).words("The dog", ["ball"])
    assert [word.label for word in words] == ["The", "dog", "ball"]


def test_nothing_to_place_is_said(bundled: attnviz.Model) -> None:
    with pytest.raises(EmptyError, match="no sentence yet"):
        Vocabulary(bundled).words("  ")
    with pytest.raises(EmptyError, match="no target sentence yet"):
        Vocabulary(bundled, of_decoder=True).words(" ")
    with pytest.raises(NoTokenizerError, match="has no tokenizer"):
        Vocabulary(attnviz.Model(tiny_models.network("bert"))).words("Hund")


def test_a_network_without_a_table_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small()

    def none() -> None:
        raise NotImplementedError

    monkeypatch.setattr(model.network, "get_input_embeddings", none)
    with pytest.raises(InputError, match="has no table of embeddings"):
        Vocabulary(model)


# Neighbours ---------------------------------------------------------------------------------------------------------


def test_similarities_are_cosines_with_every_row(bundled: attnviz.Model) -> None:
    found = Vocabulary(bundled)
    (word,) = found.words("Hund")
    table = bundled.network.get_input_embeddings().weight.detach().double()
    expected = torch.nn.functional.cosine_similarity(table, torch.from_numpy(word.vector).double()[None])
    np.testing.assert_allclose(found.similarities(word.vector), expected.numpy(), atol=1e-6)


def test_a_table_in_half_precision_goes_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small()
    (word,) = Vocabulary(model).words("dogs")
    whole = Vocabulary(model).similarities(word.vector)
    model.network.half()
    monkeypatch.setattr(module, "BLOCK", 7)
    np.testing.assert_allclose(Vocabulary(model).similarities(word.vector), whole, atol=2e-3)


def test_neighbours_are_the_nearest_that_can_be_read(bundled: attnviz.Model) -> None:
    found = Vocabulary(bundled)
    (word,) = found.words("Hund")
    near = found.neighbours(found.similarities(word.vector), without=word.ids)
    vectors = bundled.network.get_input_embeddings().weight.detach()
    cosines = torch.cosine_similarity(vectors, vectors[word.ids[0]][None], dim=-1)
    cosines[word.ids[0]] = -1
    assert near[0].id == int(cosines.argmax()) and len(near) == 10
    assert near[0].cosine == pytest.approx(float(cosines.max()), abs=1e-5)
    assert [item.cosine for item in near] == sorted((item.cosine for item in near), reverse=True)
    assert word.ids[0] not in [item.id for item in near]
    every = found.neighbours(found.similarities(word.vector), found.size)
    spelt = bundled.tokenizer.convert_ids_to_tokens([item.id for item in every])
    assert not any(name.startswith("<0x") or name in bundled.tokenizer.all_special_tokens for name in spelt)
    assert len({item.label for item in every}) == len(every) > 11_000


def test_neighbours_go_on_behind_many_that_cannot_be_read() -> None:
    model = small("llama", "llama")  # 256 of its tokens are single bytes
    found = Vocabulary(model)
    similarities = np.zeros(found.size, dtype=np.float32)
    bytes_ = [i for i in range(found.size) if model.tokenizer.convert_ids_to_tokens([i])[0].startswith("<0x")]
    similarities[bytes_] = 1.0
    assert len(bytes_) == 256
    near = found.neighbours(similarities, 5)
    assert len(near) == 5 and not {item.id for item in near} & set(bytes_)


def test_rows_behind_the_vocabulary_and_rows_of_zeros_are_no_neighbours() -> None:
    made = tokenizers_for_tests.gpt2()
    model = attnviz.Model(tiny_models.network("gpt2", vocab_size=len(made) + 5), made)
    with torch.no_grad():
        model.network.get_input_embeddings().weight[40] = 0.0
    found = Vocabulary(model)
    (word,) = found.words("dogs")
    similarities = found.similarities(word.vector)
    assert similarities[40] == 0 and np.isfinite(similarities).all()
    assert all(item.id < len(made) for item in found.neighbours(similarities, found.size))


def test_lengths_are_measured_again_after_training_and_go_with_the_model() -> None:
    model = small()
    (word,) = Vocabulary(model).words("dogs")
    Vocabulary(model).similarities(word.vector)
    before = len(module._measured)
    with torch.no_grad():
        model.network.get_input_embeddings().weight[3] *= 10.0
    assert np.abs(Vocabulary(model).similarities(word.vector)).max() <= 1.0
    rows = model.network.get_input_embeddings().weight.detach()
    expected = torch.nn.functional.cosine_similarity(rows[3:4], torch.from_numpy(word.vector)[None])
    assert Vocabulary(model).similarities(word.vector)[3] == pytest.approx(float(expected), abs=1e-6)
    del model, rows
    gc.collect()
    assert len(module._measured) == before - 1


# Vectors ------------------------------------------------------------------------------------------------------------


def test_cosines_by_hand() -> None:
    found = cosines(np.array([[3.0, 0.0], [1.0, 1.0], [-2.0, 0.0], [0.0, 0.0]]))
    half = math.sqrt(0.5)
    expected = [[1, half, -1, 0], [half, 1, -half, 0], [-1, -half, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize("degrees", [0.0, 30.0, 90.0, 135.0, 180.0])
def test_a_plane_keeps_lengths_and_angle(degrees: float) -> None:
    turn = math.radians(degrees)
    found = plane(np.array([2.0, 0.0, 0.0]), 3 * np.array([math.cos(turn), 0.0, math.sin(turn)]))
    assert found.degrees == pytest.approx(degrees, abs=1e-5)
    assert found.lengths == pytest.approx((2.0, 3.0))
    assert found.product == pytest.approx(6 * math.cos(turn), abs=1e-9)
    (one, other) = found.ends
    assert one == (2.0, 0.0) and math.hypot(*other) == pytest.approx(3.0)
    assert math.degrees(math.atan2(other[1], other[0])) == pytest.approx(degrees, abs=1e-5)


def test_a_plane_of_nothing_has_no_angle() -> None:
    assert plane(np.zeros(3), np.ones(3)).cosine == 0.0


def test_components_are_those_of_the_covariance() -> None:
    vectors = np.random.default_rng(0).normal(size=(17, 11)) * np.arange(1, 12)
    found = components(vectors)
    values = np.linalg.eigvalsh(np.cov(vectors.T))[::-1]
    np.testing.assert_allclose(found.shares, values[:3] / values.sum(), atol=1e-6)
    np.testing.assert_allclose(np.cov(found.points.T), np.diag(values[:3]), atol=1e-3)
    assert (found.points.max(axis=0) >= -found.points.min(axis=0)).all()


def test_three_axes_keep_distances_where_there_are_no_more() -> None:
    vectors = np.zeros((4, 9))
    vectors[1, 2], vectors[2, 5], vectors[3, 7] = 1.0, 2.0, 3.0
    found = components(vectors)
    assert found.shares.sum() == pytest.approx(1.0)
    for one in range(4):
        for other in range(4):
            expected = np.linalg.norm(vectors[one] - vectors[other])
            assert np.linalg.norm(found.points[one] - found.points[other]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("count", [1, 2])
def test_few_points_leave_axes_empty(count: int) -> None:
    found = components(np.arange(count * 5.0).reshape(count, 5))
    assert found.points.shape == (count, 3) and np.isfinite(found.points).all()
    assert found.shares.tolist() == pytest.approx([float(count > 1), 0.0, 0.0])


@pytest.mark.parametrize("name", ["Hund", "Fledermaus", "学生"])
def test_neighbours_of_a_word_are_whole_words_of_its_script(bundled: attnviz.Model, name: str) -> None:
    found = Vocabulary(bundled)
    (word,) = found.words(name)
    near = found.neighbours(found.similarities(word.vector), without=word.ids, like=name)
    assert len(near) == 10
    for item in near:
        assert item.label.isalpha()
        assert item.label.isascii() is not (name == "学生") or set(item.label) & set("äöüßé")
        assert len(item.label) > 2 or name == "学生"  # no "s", no "w", no "fl"
