"""Measures a model's heads on sample texts or on a reader's own, with how far it is and a button that ends it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.errors import EmptyError
from attnviz.ui.controls import inputs
from attnviz.ui.controls.url_state import named_choice
from attnviz.ui.shell.messages import _, local_count, ngettext
from attnviz.ui.shell.role_tables import keep_role_table

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.roles import RolesTable
    from attnviz.ui.shell.models import Loaded

SAMPLE, OWN = "sample", "own"
# Stand in the table, and are translated where it is shown: who opens it next may read in another language.
SAMPLE_NAME, OWN_NAME = "sample texts", "own texts"
TEXT_KEY, SOURCE_KEY = "roles_text", "roles_from"
FILE_TYPES = (".txt", ".md", ".jsonl", ".conllu")
CONTROL_KEYS = (TEXT_KEY, SOURCE_KEY)
TEXTS_AT_ONCE = 16  # so that it soon says how far it is, and ends when it is told to
_ASKED = "attnviz_measuring"  # what is being measured: the model and the texts


def measuring_controls(loaded: Loaded) -> None:
    """What the heads are to be measured on, and the button that starts it."""
    names = {SAMPLE: _("Sample texts"), OWN: _("Your own texts")}
    with st.container(key="measuring", horizontal=True, vertical_alignment="bottom"):
        source = named_choice(_("Measure on"), [SAMPLE, OWN], names.__getitem__, key=SOURCE_KEY, default=SAMPLE)
        st.button(
            _("Measure all heads"), key="measure_roles", icon=":material/query_stats:",
            on_click=lambda: st.session_state.update({_ASKED: loaded.key}),
        )  # fmt: skip
    if source == OWN:
        inputs.text_box(
            _("Texts, one on each line, or the lines of a .jsonl or .conllu file"), TEXT_KEY,
            file_button=True, file_types=FILE_TYPES,
        )  # fmt: skip
    else:
        count = len(sample_texts())
        st.caption(
            ngettext("{0} short text", "{0} short texts in English, German, Dutch and Chinese", count).format(
                local_count(count)
            )
        )


def measure_if_asked(loaded: Loaded, progress: DeltaGenerator) -> RolesTable | None:
    """The table of what was asked to be measured; None where nothing was.

    Raises:
        AttnvizError: it cannot be measured on these texts, and why.
    """
    if st.session_state.get(_ASKED) != loaded.key:
        st.session_state.pop(_ASKED, None)
        return None
    own_text = st.session_state.get(SOURCE_KEY) == OWN
    try:
        if own_text:
            table = _measure_own(loaded, str(st.session_state.get(TEXT_KEY) or ""), progress)
        else:
            table = _measure(loaded, list(sample_texts()), SAMPLE_NAME, progress)
    except Exception:
        st.session_state.pop(_ASKED, None)
        raise
    st.session_state.pop(_ASKED, None)
    keep_role_table(loaded, table, own_text=own_text)
    return table


def _measure_own(loaded: Loaded, text: str, progress: DeltaGenerator) -> RolesTable:
    if not text.strip():
        raise EmptyError("There is no text to measure on. Paste some lines above, or choose a file.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"texts{suffix_of(text)}"
        path.write_text(text, encoding="utf-8", errors="replace")
        return _measure(loaded, path, OWN_NAME, progress)


def _measure(loaded: Loaded, corpus: Path | list[str], name: str, progress: DeltaGenerator) -> RolesTable:
    from attnviz.roles import measure

    tell = _bar(progress)
    tell(0, None)
    table = measure(loaded.model, corpus, progress=tell, name=name, texts_at_once=TEXTS_AT_ONCE)
    progress.empty()
    return table


def _bar(progress: DeltaGenerator) -> Callable[[int, int | None], None]:
    """What is told how far it is. Streamlit ends the run at the next step after a click on "Cancel"."""
    with progress.container(horizontal=True, vertical_alignment="center", key="roles_progress"):
        bar = st.progress(0.0)
        st.button(
            _("Cancel"), key="cancel_roles", icon=":material/close:",
            on_click=lambda: st.session_state.pop(_ASKED, None),
        )  # fmt: skip
    started = time.monotonic()

    def tell(done: int, total: int | None) -> None:
        words = ngettext("{0} text read", "{0} texts read", done).format(local_count(done))
        if total:
            words = _("{0} of {1} texts read").format(local_count(done), local_count(total))
            if done:
                left = round((time.monotonic() - started) * (total - done) / done)
                words += " · " + ngettext("about {0} second left", "about {0} seconds left", left).format(left)
        bar.progress(min(1.0, done / total) if total else 0.0, words)

    return tell


def suffix_of(text: str) -> str:
    """What kind of file a text is from: lines, JSON lines, or a treebank where those are read.

    >>> suffix_of("The dog."), suffix_of('{"text": "The dog."}')
    ('.txt', '.jsonl')
    """
    from attnviz.roles.corpora.corpus import SUFFIXES

    lines = [line for line in text.splitlines() if line.strip()]
    if lines and lines[0].lstrip().startswith("{") and lines[0].rstrip().endswith("}"):
        return ".jsonl"
    if ".conllu" in SUFFIXES and any(line.count("\t") == 9 for line in lines[:200]):
        return ".conllu"
    return ".txt"


def corpus_name(table: RolesTable) -> str:
    """What the texts are called that a table was measured on, in the reader's language."""
    bundled = "1,236 sentence pairs: Tatoeba (CC BY 2.0 FR, tatoeba.org) and attnviz's own"
    names = {
        SAMPLE_NAME: _("sample texts"),
        OWN_NAME: _("your own texts"),
        bundled: _("1,236 sentence pairs: Tatoeba (CC BY 2.0 FR, tatoeba.org) and attnviz's own"),
    }
    return names.get(table.corpus, table.corpus)


@cache
def sample_texts() -> tuple[str, ...]:
    """Texts that ship, to measure any model on."""
    return tuple(json.loads(Path(__file__).with_name("sample.json").read_text(encoding="utf-8")))
