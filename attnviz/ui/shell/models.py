"""Models that stay loaded between reruns with what was computed with them, shared by all sessions.

A shelf holds the few models that were used last. Its key names everything that changes a model: its name, revision,
device, precision and, for a folder, when its files were written. Beside each model stands one cache for all that the
pages compute with it: recordings, texts, measures, vectors.
"""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import streamlit as st

import attnviz
from attnviz.examples import FIRST_EXAMPLES
from attnviz.serving import requests
from attnviz.serving.limits import limits
from attnviz.serving.offered import model_source
from attnviz.ui.shell.cache import Cache
from attnviz.ui.shell.errors import as_markdown
from attnviz.ui.shell.messages import _, translate
from attnviz.ui.shell.model_names import BUNDLED, model_label

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator
    from torch import nn

    from attnviz.models.loading.load import Progress
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording

_DEVICE, _DTYPE = "auto", "auto"

T = TypeVar("T")


class RecentValues(Generic[T]):
    """The values used last, up to a number of them; each is made once, however many ask for it at the same time."""

    def __init__(
        self,
        size: int,
        on_drop: Callable[[], None] = lambda: None,
        *,
        most_bytes: int = 0,
        bytes_of: Callable[[T], int] = lambda value: 0,
    ) -> None:
        """
        Args:
            size: how many are kept.
            on_drop: called after some were dropped.
            most_bytes: of all that are kept, but for the one that was used last; 0 for no such limit.
            bytes_of: how many bytes a value takes.
        """
        self._size = size
        self._on_drop = on_drop
        self._most_bytes, self._bytes_of = most_bytes, bytes_of
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Returns what is kept under the key, or makes it; an error of `make` is raised and nothing is kept."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key]
            try:
                value = make()
                with self._lock:
                    self._values[key] = value
                    dropped = self._drop_oldest()
            finally:
                with self._lock:
                    self._making.pop(key, None)
        if dropped:
            self._on_drop()
        return value

    def _drop_oldest(self) -> int:
        """Drops those that are too many, with the lock held; returns how many."""
        before = len(self._values)
        while len(self._values) > 1 and (len(self._values) > self._size or 0 < self._most_bytes < self._bytes()):
            self._values.popitem(last=False)
        return before - len(self._values)

    def _bytes(self) -> int:
        return sum(map(self._bytes_of, self._values.values()))

    def values(self) -> tuple[T, ...]:
        """What is kept now, the one used last at the end."""
        with self._lock:
            return tuple(self._values.values())

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._values


@dataclass
class Loaded:
    """A model with the cache of what was computed with it, so that dropping the model drops that too."""

    model: Model
    key: Hashable
    cache: Cache = field(init=False)
    bytes: int = field(init=False)  # of the weights

    def __post_init__(self) -> None:
        model, settings = self.model, limits()
        self.cache = Cache(settings.cache_bytes, beside=(model, model.network, model.tokenizer))
        model.inputs.most_characters, model.inputs.most_tokens = settings.characters, settings.tokens
        model.recorder.budget = settings.recording_bytes or None
        network = model.network
        self.bytes = sum(item.numel() * item.element_size() for item in (*network.parameters(), *network.buffers()))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of attention that the model has."""
        return self.model.kinds

    @property
    def reads_pairs(self) -> bool:
        """Whether the model reads two sentences as a pair."""
        return self.model.reads_pairs

    def record(
        self, text: str, target: str | None, pair: str | None = None, progress: Callable[[float], None] | None = None
    ) -> Recording:
        """The recording of a text; `target` None means the model's own output, `pair` None one sentence alone.

        `progress` is told what share of it is done, as by `Model.record`.
        """

        def make() -> Recording:
            recording = self.model.record(text, target, pair=pair, progress=progress)
            requests.note_text(text, recording.size(recording.kinds[0])[3])
            return recording

        return self.cache.get(("recording", text, target, pair), make)


@st.cache_resource(show_spinner=False)
def _loaded_models() -> RecentValues[Loaded]:
    settings = limits()
    return RecentValues(
        settings.models_loaded, _free_memory, most_bytes=settings.models_bytes, bytes_of=lambda loaded: loaded.bytes
    )


def loaded_models() -> tuple[Loaded, ...]:
    """The models that are in memory now, the one used last at the end."""
    return _loaded_models().values()


_networks: weakref.WeakSet[nn.Module] = weakref.WeakSet()  # that are in memory, those of dropped models too


def _free_memory() -> None:
    """Lets the memory of a dropped model go, in spite of `gc.freeze` in `load`.

    Most models have gone already, with the last that held them. Only one that holds itself in a circle, or that
    somebody still reads, needs a look through all objects, which takes half a second.
    """
    if len(_networks) <= len({id(loaded.model.network) for loaded in loaded_models()}):
        return
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def load(name: str, placeholder: DeltaGenerator | None = None, *, revision: str | None = None) -> Loaded:
    """Takes a model from the shelf, or loads it and says how far it is.

    Args:
        name: "bundled", a local folder or a Hub id.
        placeholder: an `st.empty`; shows a progress bar with what is happening, and is empty again in the end. None
            where nobody looks.
        revision: of a Hub id.

    Raises:
        AttnvizError: it cannot be loaded, and why.
    """
    source, revision = model_source(name, revision)
    key = _key(source, revision, name)
    shelf = _loaded_models()
    # Said before anything else: another reader, or the server itself, may be loading it already.
    waits = key not in shelf

    def progress(fraction: float | None, doing: str) -> None:
        if placeholder is not None:
            placeholder.progress(fraction or 0.0, as_markdown(translate(doing)))

    if waits:
        progress(None, _("Loading {0}").format(model_label(name)))
    try:
        return shelf.get(key, lambda: _load(source, revision, key, progress, name=name))
    finally:
        if waits and placeholder is not None:
            placeholder.empty()


def preload() -> None:
    """Loads the model that ships, and what the first pictures need with it, before a reader asks for it.

    All of it while the shelf holds others back that want the same model: what they would compute is being computed.
    """
    key = _key(BUNDLED, None)

    def make() -> Loaded:
        loaded = _load(BUNDLED, None, key)
        for sentence in FIRST_EXAMPLES.values():
            recording = loaded.record(sentence, None)
            for kind in recording.kinds:
                recording.pooled_maps(kind, layer=0)
        return loaded

    _loaded_models().get(key, make)


def _key(source: str, revision: str | None, name: str | None = None) -> Hashable:
    """What tells a model from the others: also the name it goes by, which answers give instead of its folder."""
    return (source, name or source, revision, _DEVICE, _DTYPE, _newest_change(source))


def _load(
    source: str, revision: str | None, key: Hashable, progress: Progress | None = None, name: str | None = None
) -> Loaded:
    if limits().public and os.path.isdir(source):
        from attnviz.models.loading.claims import check_links

        check_links(Path(source), name or source)
    model = attnviz.load(source, device=_DEVICE, dtype=_DTYPE, revision=revision, progress=progress)
    model.name = name or source  # of a model of the list its folder is nobody's business
    # Streamlit looks for garbage after every run, while the page waits for the last it is to show. The libraries
    # and the model bring some 400,000 objects that stay: looking through them took a quarter of a second. What is
    # garbage by now would stay too.
    gc.collect()
    gc.freeze()
    _networks.add(model.network)
    return Loaded(model, key)


def _newest_change(name: str) -> int | None:
    """When the newest file of a folder was written: a model that was trained further is another model."""
    try:
        with os.scandir(os.path.expanduser(name)) as entries:
            return max((entry.stat().st_mtime_ns for entry in entries), default=None)
    except (OSError, ValueError):
        return None
