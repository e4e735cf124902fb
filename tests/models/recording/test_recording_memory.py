"""What a recording keeps: memory that grows with the tokens alone, and nothing once it is dropped."""

from __future__ import annotations

import gc
import pickle
import types
import weakref

import pytest
import torch
from support import tiny_models as tiny
from support.recordings import kinds_and_layers, model, recording
from torch import Tensor, nn

from attnviz import Model, Recording

# ---------------------------------------------------------------------------------------------------------------------
# Memory


def tensors(found: object) -> list[Tensor]:
    """Every tensor that a recording keeps alive, whatever holds it; the network, which it shares, left out."""
    seen, waiting, kept = set(), [found], []
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, nn.Module | Model | type | types.ModuleType):
            continue
        seen.add(id(item))
        if isinstance(item, Tensor):
            kept.append(item)
        elif isinstance(item, types.FunctionType):
            waiting += [cell.cell_contents for cell in item.__closure__ or ()]
        else:
            waiting += gc.get_referents(item)
    return kept


def stored_bytes(found: Recording) -> int:
    """The size of everything that the tensors are views of, each counted once."""
    storages = {item.untyped_storage().data_ptr(): item.untyped_storage().nbytes() for item in tensors(found)}
    return sum(storages.values())


LONG = [("gpt2", "n_positions"), ("modernbert", "max_position_embeddings"), ("mistral", "max_position_embeddings"),
        ("gemma2", "max_position_embeddings"), ("gpt_oss", "max_position_embeddings"), ("t5", None),
        ("bart", "max_position_embeddings"), ("phi3", "max_position_embeddings")]  # fmt: skip


@pytest.mark.parametrize(("name", "positions"), LONG)
def test_memory_grows_with_the_tokens_and_not_with_their_square(name: str, positions: str | None) -> None:
    vocabulary = 23  # fewer than tokens, so that no logits look like a map
    changes = {"vocab_size": vocabulary} | ({} if positions is None else {positions: 256})
    long = Model(tiny.network(name, **changes))
    length = 67
    sizes = []
    for count in (length, 4 * length - 13):
        given = {"ids": tiny.ids(count, stop=vocabulary)}
        if name in tiny.ENCODER_DECODERS:
            given["target_ids"] = tiny.ids(count, seed=1, stop=vocabulary)
        found = long.record_ids(**given)
        assert found.logits is not None
        kept = tensors(found)
        assert len(kept) >= 3 * tiny.LAYERS, "the queries, keys and values of each layer are found"
        assert all(sum(size >= count - 1 for size in item.shape) < 2 for item in kept), "no map is kept"
        sizes.append(stored_bytes(found))
    assert sizes[1] <= 4 * sizes[0]


@pytest.mark.parametrize("name", ["llama", "t5", "bloom"])
def test_a_dropped_recording_frees_its_tensors(name: str) -> None:
    kept_model = model(name)
    found = kept_model.record_ids(**tiny.inputs(name))
    assert found.logits is not None
    references = [weakref.ref(item) for item in tensors(found)]
    assert len(references) >= 3
    shown = found.weights(found.kinds[0], layer=0)  # what was asked for is a copy
    recording_reference = weakref.ref(found)
    gc.disable()  # at once, not when a collection happens to come by
    try:
        del found
        assert recording_reference() is None
        assert not [reference for reference in references if reference() is not None]
    finally:
        gc.enable()
    assert shown.sum() > 0


@pytest.mark.parametrize("name", ["t5", "marian"])
def test_a_recording_whose_decoder_was_never_looked_at_frees_its_tensors(name: str) -> None:
    found = model(name).record_ids(**tiny.inputs(name))
    references = [weakref.ref(item) for item in tensors(found)]
    assert len(references) >= 3 * tiny.LAYERS
    del found
    gc.collect()
    assert not [reference for reference in references if reference() is not None]


def test_who_was_told_how_far_it_is_is_not_held() -> None:
    """Pages hand over a function that holds a part of the page, and recordings outlive pages."""

    class Teller:
        def __call__(self, share: float) -> None:
            shares.append(share)

    shares: list[float] = []
    teller = Teller()
    gone = weakref.ref(teller)
    kept = model("marian").record_ids(**tiny.inputs("marian"), progress=teller)  # its decoder has not run yet
    del teller
    gc.collect()
    assert shares[-1] == 1.0 and gone() is None
    assert kept.size("decoder")


def test_the_encoders_states_are_dropped_once_the_decoder_has_run() -> None:
    found = model("t5").record_ids(**tiny.inputs("t5"))

    def states(found: Recording) -> list[Tensor]:
        return [item for item in tensors(found) if tuple(item.shape) == (1, tiny.LENGTH, tiny.WIDTH)]

    assert states(found)
    found.weights("cross", layer=0)
    assert not states(found)


def test_the_recording_of_one_stack_can_be_kept_in_a_file() -> None:
    for name in ("bert", "gpt_oss", "bloom"):
        kept = pickle.loads(pickle.dumps(recording(name)))
        for kind, layer in kinds_and_layers(name):
            assert torch.equal(kept.weights(kind, layer=layer), recording(name).weights(kind, layer=layer))
