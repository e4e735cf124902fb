"""A cache with a bound in bytes, and how many bytes a value takes.

    get(key, compute) ─ stored under this key? ─ yes ─ the stored value
                                               └ no ── compute, measure, store; the least recently used go

Works on any Python objects, numpy arrays and tensors; imports neither torch nor Streamlit, for the controls of a page
are on the screen before torch is loaded.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import types
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

# What a function calls, what a class or a module defines, is part of the program and not of a value.
_PROGRAM = (type, types.ModuleType, types.BuiltinFunctionType, types.CodeType)
_PLAIN = (str, bytes, bytearray, int, float, complex, bool, type(None))


@dataclass
class Footprint:
    """The memory of a value.

    Attributes:
        buffers: bytes of each block of numbers behind tensors and arrays, by its address. Views share a block.
        objects: bytes of the Python objects around them.
        incomplete: objects in the value that say, by an attribute `is_complete` that is false, that they will grow.
    """

    buffers: dict[int, int] = field(default_factory=dict)
    objects: int = 0
    incomplete: list[Any] = field(default_factory=list)

    @property
    def size(self) -> int:
        """All of it in bytes."""
        return sum(self.buffers.values()) + self.objects


def size_in_bytes(value: object, *, beside: Iterable[object] = ()) -> int:
    """How many bytes of memory a value takes, with all that it refers to; what it refers to twice counts once.

    Tensors and arrays count with the whole block of numbers that they keep alive, also where they show only a part of
    it. Containers, dataclasses and other objects are looked into, functions as far as what they enclose. On a GPU it is
    the GPU's memory.

    Args:
        value: any object.
        beside: objects that stay in memory anyway, such as the model; neither they nor the parameters of a torch
            module among them count.

    >>> size_in_bytes(np.zeros(1000)) - size_in_bytes(np.zeros(0))
    8000
    """
    return measure(value, _Beside(beside)).size


class _Beside:
    """What stays in memory anyway: identities of objects and addresses of the blocks behind parameters."""

    def __init__(self, values: Iterable[object]) -> None:
        self.values = tuple(values)  # an identity is unique only while its object is alive
        self.objects: set[int] = set()
        self.buffers: set[int] = set()
        torch = sys.modules.get("torch")
        for value in self.values:
            self.objects.add(id(value))
            if torch is not None and isinstance(value, torch.nn.Module):
                self.objects.update(map(id, value.modules()))
                for tensor in (*value.parameters(), *value.buffers()):
                    self.objects.add(id(tensor))
                    self.buffers.add(_block(tensor)[0])


def measure(value: object, beside: _Beside) -> Footprint:
    """The memory of a value, block by block."""
    footprint = Footprint()
    visited = set(beside.objects)
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if id(item) in visited or isinstance(item, _PROGRAM):
            continue
        visited.add(id(item))
        footprint.objects += _own_size(item)
        if isinstance(item, _PLAIN):
            continue
        if hasattr(type(item), "is_complete") and not item.is_complete:
            footprint.incomplete.append(item)
        if _is_tensor(item):
            address, size = _block(item)
        elif isinstance(item, np.ndarray):
            owner = item
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            if _is_tensor(owner.base):
                address, size = _block(owner.base)
            else:
                address, size = owner.__array_interface__["data"][0], owner.nbytes
            if item.dtype.hasobject:
                waiting.extend(item.flat)
        else:
            waiting.extend(_parts(item))
            continue
        if size and address not in beside.buffers:
            footprint.buffers[address] = size
    return footprint


def _own_size(item: object) -> int:
    """The bytes of an object itself, without what it refers to and without an array's numbers."""
    if isinstance(item, np.ndarray):
        return object.__sizeof__(item)
    return sys.getsizeof(item, 0)


def _is_tensor(item: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(item, torch.Tensor)


def _block(tensor: Any) -> tuple[int, int]:
    """(address, bytes) of the block of numbers behind a tensor; one without a single block counts by its elements."""
    try:
        storage = tensor.untyped_storage()
        return storage.data_ptr(), storage.nbytes()
    except (NotImplementedError, RuntimeError):  # sparse and quantised formats
        return id(tensor), tensor.numel() * tensor.element_size()


def _parts(item: Any) -> Iterator[object]:
    """What an object refers to."""
    if isinstance(item, Mapping):
        # In one step, as another thread may be adding to it.
        pairs = list(item.items())
        yield from (part for pair in pairs for part in pair)
    elif isinstance(item, (list, tuple, set, frozenset)):
        yield from list(item)
    elif isinstance(item, types.FunctionType):
        yield from (item.__closure__ or ())
        yield from (item.__defaults__ or ())
    elif isinstance(item, types.MethodType):
        yield item.__self__
    elif isinstance(item, types.CellType):
        with contextlib.suppress(ValueError):  # not assigned yet
            yield item.cell_contents
    elif isinstance(item, partial):
        yield from (item.func, item.args, item.keywords)
    attributes = getattr(item, "__dict__", None)
    if isinstance(attributes, dict) and not isinstance(item, types.FunctionType):
        yield attributes
    for owner in type(item).__mro__:
        slots = owner.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name in ("__dict__", "__weakref__"):
                continue
            if name.startswith("__"):
                name = f"_{owner.__name__.lstrip('_')}{name}"
            if hasattr(item, name):
                yield getattr(item, name)


@dataclass
class _Entry:
    value: Any
    footprint: Footprint


MOST_VALUES = 300
"""So many values of a model are kept, however small: more are of nobody's use, and a server that has read a thousand
sentences should not be larger by them."""


class Cache:
    """Values by key, up to a number and a number of bytes; where they get more, those least recently used go first.

    A key says first what kind of thing it names: ("recording", text, target, pair). A value is computed once, however
    many threads ask for it at the same time, and an error stores nothing. A value that is larger than the bound is
    returned and not stored. What two values share counts once.

    A recording grows after it was stored, when its decoder runs. So before another value is stored, what was returned
    is measured again, and so is what said that it is not complete, once it is. Looking up what is stored measures
    nothing: pages do that many times in a run.
    """

    def __init__(self, bound: int, *, beside: Iterable[object] = (), most_values: int = MOST_VALUES) -> None:
        """
        Args:
            bound: in bytes.
            beside: objects that stay in memory whatever is stored here, such as the model; see `size_in_bytes`.
            most_values: how many are kept.
        """
        self.bound, self._most_values = bound, most_values
        self._beside = _Beside(beside)
        self._entries: OrderedDict[tuple[Hashable, ...], _Entry] = OrderedDict()
        # Of each value that is being computed, what waiting threads get: the value in a tuple, None where it failed.
        self._computing: dict[tuple[Hashable, ...], Future[tuple[Any] | None]] = {}
        self._returned: set[tuple[Hashable, ...]] = set()  # since the last measurement
        self._users: Counter[int] = Counter()  # how many values refer to each block of numbers
        self._size = 0
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """The bytes of all that is stored; `bound` at most."""
        with self._lock:
            self._measure_again()
            return self._size

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)

    def __contains__(self, key: tuple[Hashable, ...]) -> bool:
        with self._lock:
            return key in self._entries

    def get(self, key: tuple[Hashable, ...], compute: Callable[[], T]) -> T:
        """Returns the value stored under the key, or computes it; raises what `compute` raises."""
        while True:
            with self._lock:
                if key in self._entries:
                    self._entries.move_to_end(key)
                    self._returned.add(key)
                    return self._entries[key].value
                theirs = self._computing.get(key)
                if theirs is None:
                    mine: Future[tuple[T] | None] = Future()
                    self._computing[key] = mine
            if theirs is None:
                return self._compute(key, compute, mine)
            # Where it failed for the thread that was first (its reader may have left the page), this one tries itself.
            computed = theirs.result()
            if computed is not None:
                value: T = computed[0]
                return value

    def _compute(self, key: tuple[Hashable, ...], compute: Callable[[], T], result: Future[tuple[T] | None]) -> T:
        computed: tuple[T] | None = None
        try:
            value = compute()
            with self._lock:
                self._store(key, value)
            computed = (value,)
            return value
        finally:
            with self._lock:
                del self._computing[key]
            result.set_result(computed)

    def _store(self, key: tuple[Hashable, ...], value: Any) -> None:
        self._measure_again()
        footprint = measure((key, value), self._beside)
        if footprint.size > self.bound:
            return
        self._entries[key] = _Entry(value, footprint)
        self._returned.add(key)
        self._count(footprint)
        self._drop_oldest()

    def _count(self, footprint: Footprint) -> None:
        self._size += footprint.objects
        for address, size in footprint.buffers.items():
            if not self._users[address]:
                self._size += size
            self._users[address] += 1

    def _discount(self, footprint: Footprint) -> None:
        self._size -= footprint.objects
        for address, size in footprint.buffers.items():
            self._users[address] -= 1
            if not self._users[address]:
                del self._users[address]
                self._size -= size

    def _measure_again(self) -> None:
        grown = self._returned | {
            key for key, entry in self._entries.items() if any(item.is_complete for item in entry.footprint.incomplete)
        }
        self._returned = set()
        for key in grown & self._entries.keys():
            entry = self._entries[key]
            self._discount(entry.footprint)
            entry.footprint = measure((key, entry.value), self._beside)
            self._count(entry.footprint)
            if entry.footprint.size > self.bound:
                self._discount(self._entries.pop(key).footprint)
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        while self._size > self.bound or len(self._entries) > self._most_values:
            _key, entry = self._entries.popitem(last=False)
            self._discount(entry.footprint)
