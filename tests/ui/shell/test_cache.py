"""The cache of what was computed with a model: its bound in bytes, and how values are measured."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import pytest
import torch

import attnviz
from attnviz.generation.writer import Writer
from attnviz.models.model import Model
from attnviz.ui.shell.cache import Cache, size_in_bytes
from attnviz.ui.shell.models import Loaded

KILO = 1000
SENTENCES = [f"{subject} sah {object_}." for subject in ("Der Hund", "Die Katze", "Das Kind", "Er") for object_ in
             ("den Ball", "das Haus", "die Frau")]  # fmt: skip


@pytest.fixture(scope="module")
def bundled() -> Model:
    return attnviz.load("bundled", device="cpu")


# How many bytes a value takes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slotted:
    first: object
    second: object = None


@dataclass
class Plain:
    first: object


def numbers(size: int) -> torch.Tensor:
    return torch.zeros(size, dtype=torch.uint8)


@pytest.mark.parametrize(
    "around",
    [
        lambda value: value,
        lambda value: [value],
        lambda value: (value, value),
        lambda value: {"name": value},
        lambda value: MappingProxyType({"name": value}),
        lambda value: Slotted(1, value),
        lambda value: Plain(Slotted(value)),
        lambda value: partial(print, value),
        lambda value: lambda: value,
    ],
)
@pytest.mark.parametrize(
    "value", [numbers(KILO * KILO), np.zeros(KILO * KILO, dtype=np.uint8), "a" * KILO * KILO, b"a" * KILO * KILO]
)
def test_a_value_counts_once_wherever_it_is(around: Callable[[object], object], value: object) -> None:
    assert KILO * KILO <= size_in_bytes(around(value)) < KILO * KILO + 2000


def test_views_count_as_the_block_that_they_keep_alive() -> None:
    array = np.zeros(KILO * KILO, dtype=np.uint8)
    tensor = numbers(KILO * KILO)
    assert size_in_bytes(array[:1]) > KILO * KILO
    assert size_in_bytes(tensor[:1]) > KILO * KILO
    shared = [array, array[5:], torch.from_numpy(array), array.reshape(KILO, KILO).T]
    assert size_in_bytes(shared) < KILO * KILO + 2000
    assert size_in_bytes([tensor, tensor[5:], tensor.numpy()]) < KILO * KILO + 2000
    assert size_in_bytes([numbers(KILO), numbers(KILO)]) > 2 * KILO


def test_arrays_of_objects_and_circles_are_looked_into() -> None:
    assert size_in_bytes(np.array(["a" * KILO, "b" * KILO], dtype=object)) > 2 * KILO
    circle: list[object] = [numbers(KILO)]
    circle.append(circle)
    assert KILO < size_in_bytes(circle) < 2 * KILO


def test_what_stays_in_memory_anyway_does_not_count(bundled: Model) -> None:
    weight = next(bundled.network.parameters())
    beside = (bundled, bundled.network, bundled.tokenizer)
    assert size_in_bytes((bundled, weight.detach()[:1]), beside=beside) < 2000
    assert size_in_bytes(weight) > weight.numel()


def test_a_recording_takes_what_its_tensors_take(bundled: Model) -> None:
    recording = bundled.record("Der Hund sah den Ball.")
    beside = (bundled, bundled.network, bundled.tokenizer)
    before = size_in_bytes(recording, beside=beside)
    assert not recording.is_complete
    queries = keys = 7
    encoder = 4 * 3 * queries * 256 * 4  # layers × (query, key, value) × tokens × width × bytes
    assert encoder <= before < encoder + 60 * KILO
    _layers, _heads, queries, keys = recording.size("cross")
    assert recording.is_complete and recording.logits is not None
    decoder = 4 * 3 * queries * 256 * 4 + 4 * (queries + 2 * keys) * 256 * 4 + recording.logits.numel() * 4
    assert encoder + decoder <= size_in_bytes(recording, beside=beside) < encoder + decoder + 120 * KILO


# The cache ----------------------------------------------------------------------------------------------------------


def test_a_value_is_computed_once_however_many_ask() -> None:
    cache = Cache(KILO)
    computed: list[str] = []
    start = threading.Barrier(4)
    asking = threading.Event()

    def compute() -> str:
        computed.append("a")
        asking.wait(5)
        return "a"

    def ask() -> None:
        start.wait()
        cache.get(("letter", "a"), compute)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    asking.set()
    for thread in threads:
        thread.join()
    assert computed == ["a"]


def test_an_error_stores_nothing_and_who_waited_tries_again() -> None:
    cache = Cache(KILO)
    computing, go = threading.Event(), threading.Event()
    results: list[object] = []

    def fail() -> int:
        computing.set()
        go.wait(5)
        return 1 // 0

    def first() -> None:
        with pytest.raises(ZeroDivisionError):
            cache.get(("number",), fail)
        results.append("failed")

    one = threading.Thread(target=first)
    one.start()
    computing.wait(5)
    other = threading.Thread(target=lambda: results.append(cache.get(("number",), lambda: 3)))
    other.start()
    go.set()
    one.join()
    other.join()
    assert sorted(results, key=str) == [3, "failed"]
    assert len(cache) == 1


def test_the_least_recently_used_goes_first() -> None:
    cache = Cache(10 * KILO)
    for name in "abc":
        cache.get(("numbers", name), lambda: numbers(3 * KILO - 500))
    cache.get(("numbers", "a"), lambda: numbers(0))
    cache.get(("numbers", "d"), lambda: numbers(3 * KILO - 500))
    assert [("numbers", name) in cache for name in "abcd"] == [True, False, True, True]
    assert cache.size <= cache.bound


def test_small_values_go_too_once_there_are_many() -> None:
    cache = Cache(KILO * KILO, most_values=3)
    for name in "abc":
        cache.get(("letter", name), lambda: "x")
    cache.get(("letter", "a"), lambda: "y")
    cache.get(("letter", "d"), lambda: "x")
    assert [("letter", name) in cache for name in "abcd"] == [True, False, True, True]


def test_a_value_over_the_bound_is_returned_and_not_stored() -> None:
    cache = Cache(10 * KILO)
    cache.get(("numbers", "small"), lambda: numbers(KILO))
    assert len(cache.get(("numbers", "large"), lambda: numbers(11 * KILO))) == 11 * KILO
    assert ("numbers", "large") not in cache and ("numbers", "small") in cache


def test_what_values_share_counts_once_until_the_last_of_them_goes() -> None:
    cache = Cache(10 * KILO)
    shared = numbers(6 * KILO)
    cache.get(("numbers", "whole"), lambda: shared)
    cache.get(("numbers", "part"), lambda: shared[:2])
    assert 6 * KILO < cache.size < 8 * KILO
    cache.get(("numbers", "other"), lambda: numbers(6 * KILO))
    assert [("numbers", name) in cache for name in ("whole", "part", "other")] == [False, False, True]
    assert 6 * KILO < cache.size < 8 * KILO


def test_a_value_that_grows_over_the_bound_goes_alone() -> None:
    cache = Cache(10 * KILO)
    cache.get(("numbers", "small"), lambda: numbers(KILO))
    before = cache.size
    cache.get(("list", "growing"), list).append(numbers(2 * KILO))
    assert cache.size > before + 2 * KILO
    cache.get(("list", "growing"), list).append(numbers(9 * KILO))
    assert cache.size == before
    assert ("numbers", "small") in cache and ("list", "growing") not in cache


def test_the_bound_holds_recordings_also_after_their_decoders_ran(bundled: Model) -> None:
    loaded = Loaded(bundled, "bundled")
    loaded.cache = Cache(2 * KILO * KILO, beside=(bundled, bundled.network, bundled.tokenizer))
    recordings = []
    for sentence in SENTENCES:
        recordings.append(loaded.record(sentence, None))
        assert loaded.cache.size <= loaded.cache.bound
    stored = len(loaded.cache)
    assert stored > 5
    # Long after they were measured, and by another way than through the cache.
    for recording in recordings:
        recording.size("cross")
    assert loaded.cache.size <= loaded.cache.bound
    beside = (bundled, bundled.network, bundled.tokenizer)
    pairs = zip(recordings, SENTENCES, strict=True)
    stored_still = [one for one, text in pairs if ("recording", text, None, None) in loaded.cache]
    assert 0 < len(stored_still) < stored
    assert loaded.cache.size == pytest.approx(size_in_bytes(stored_still, beside=beside), rel=0.05)


def test_writers_leave_recordings_where_they_are(bundled: Model) -> None:
    loaded = Loaded(bundled, "bundled")
    recording = loaded.record(SENTENCES[0], None)
    source = tuple(token.id for token in recording.query_tokens("encoder"))
    for length in range(1, 50):
        loaded.cache.get(("writer", source, length), lambda: Writer(bundled, source))
    assert loaded.record(SENTENCES[0], None) is recording
    assert loaded.cache.size < loaded.cache.bound
