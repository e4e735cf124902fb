"""The controls of the page "Translate" alone: the method of decoding, and the tokens that the reader chose.

Choices stand in the address as vocabulary ids, so that a copied link shows the same text at the same step. They belong
to a sentence and a model: another sentence begins without them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import streamlit as st

from attnviz.errors import InputError
from attnviz.ui.controls.url_state import Say, keep_values, named_choice, open_with
from attnviz.ui.shell.messages import _, translate

if TYPE_CHECKING:
    from attnviz.generation.sampling import Method

METHODS = ("greedy", "beam", "sample")
METHOD_KEYS = ("method", "width", "temperature", "top_k", "top_p", "seed")
MOST_SEED = 9999
_CHOICES = "attnviz_choices"
_NAMES = ("prefix", "step", "masked")


def is_first_run() -> bool:
    """Whether the reader comes to this page now, from a link or from another page; asked before anything is drawn."""
    # Streamlit forgets a control that was not drawn, and this one stands on no other page.
    return "method" not in st.session_state


def set_opening_value(key: str, value: Any, usual: Any) -> None:
    """What a shared control has when the reader arrives here and no link or choice says otherwise.

    Args:
        key: of the control.
        value: what this page begins with.
        usual: what the home page begins with; where the control holds that, nothing was chosen.
    """
    if st.query_params.get(key) is None and st.session_state.get(key, usual) == usual:
        open_with(key, value)


# The method ---------------------------------------------------------------------------------------------------------


def method_control(beam: bool, say: Say) -> str:
    """Which method, of those that the model can be used with.

    Args:
        beam: whether several texts can be followed.
        say: told what was asked for and is not there; likewise below.
    """
    options = METHODS if beam else ("greedy", "sample")
    requested = st.session_state.get("method", st.query_params.get("method"))
    if requested is not None and requested not in options:
        say(_("There is no method “{0}” here; greedy is used instead.").format(str(requested)[:40]))
        if "method" in st.session_state:
            st.session_state["method"] = options[0]
    names = {"greedy": _("greedy"), "beam": _("beam"), "sample": _("sample")}
    return named_choice(_("Method"), options, names.__getitem__, key="method", default=options[0])


def method_settings(name: str, say: Say) -> Method:
    """The settings of a method, drawn into the current container; those of the other methods are kept."""
    from attnviz.generation.sampling import MOST_BEAMS, Method  # brings torch, for which the sentence must not wait

    keep_values(*(key for key in METHOD_KEYS if key != "method"))
    if name == "beam":
        width = _number("width", _("Beam width"), 1, MOST_BEAMS, 4, 1, say, _("How many texts are followed."))
        return Method("beam", width=int(width))
    if name == "greedy":
        return Method()
    temperature = _number(
        "temperature", _("Temperature"), 0.1, 3.0, 1.0, 0.1, say,
        _("Logits are divided by it: below 1 the likely become likelier, above 1 all become more alike."),
    )  # fmt: skip
    top_k = _number(
        "top_k", _("Top-k"), 0, 1000, 0, 1, say, _("Only so many of the likeliest are drawn from; 0 for all.")
    )
    top_p = _number(
        "top_p", _("Top-p"), 0.05, 1.0, 1.0, 0.05, say,
        _("Only the likeliest that together reach this probability are drawn from; 1 for all."),
    )  # fmt: skip
    seed = _number("seed", _("Seed"), 0, MOST_SEED, 0, 1, say, _("The same seed draws the same."))
    return Method("sample", temperature=float(temperature), top_k=int(top_k), top_p=float(top_p), seed=int(seed))


def length_setting(say: Say) -> int:
    """How many tokens a decoder goes on for, if its end token does not come first."""
    from attnviz.models.recording.recorder import MAX_NEW_TOKENS

    return int(_number("length", _("New tokens"), 1, MAX_NEW_TOKENS, 16, 1, say, _("At most so many are written.")))


def _number(key: str, label: str, low: float, high: float, default: float, pace: float, say: Say, help: str) -> float:
    """A number; what a link asks for beyond the range is said and replaced by the nearest."""
    requested = None if key in st.session_state else st.query_params.get(key)
    if requested is not None:
        nearest = _nearest(requested, low, high, default)
        if str(nearest) != requested and nearest != _as_number(requested):
            say(_("{0} is a number from {1} to {2}, not {3}; {4} is used instead.").format(
                label, low, high, requested[:40], nearest
            ))  # fmt: skip
            st.session_state[key] = nearest
    value = st.number_input(
        label, low, high, default, pace, key=key, bind="query-params", help=help, width=132,
        format="%.2f" if isinstance(default, float) else "%d",
    )  # fmt: skip
    return default if value is None else value


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _nearest(text: str, low: float, high: float, default: float) -> float:
    number = _as_number(text)
    if number is None or number != number:
        return default
    return type(default)(min(max(number, low), high))


# The choices --------------------------------------------------------------------------------------------------------


class Choices:
    """The reader's choices for one sentence in one model.

    Attributes:
        prefix: the vocabulary ids up to the last choice.
        step: the step that is looked at, or None.
        masked: the word that is masked, or None.
    """

    def __init__(self, owner: tuple[str, ...], say: Say, initial_prefix: Callable[[], tuple[int, ...]] = tuple) -> None:
        """Takes up the choices of this owner, the sentence and the model; of the address on a link's first run.

        Args:
            owner: whose choices they are.
            say: told what a link asks for and cannot be had.
            initial_prefix: the text that this owner begins with where nothing was chosen; called only then.
        """
        stored = st.session_state.get(_CHOICES)
        if stored is None or stored["owner"] != owner:
            linked = dict.fromkeys(_NAMES) if stored else {name: st.query_params.get(name) for name in _NAMES}
            stored = {"owner": owner, **linked}
            if not any(linked.values()):
                stored["prefix"] = join_ids(initial_prefix())
        st.session_state[_CHOICES] = stored
        self.prefix = self._read("prefix", _parse_ids, (), say)
        self.step = self._read("step", _parse_index, None, say)
        self.masked = self._read("masked", _parse_index, None, say)
        self._show()

    def _read(self, name: str, read: Callable[[str], Any], default: Any, say: Say) -> Any:
        text = st.session_state[_CHOICES][name]
        if text is None:
            return default
        try:
            return read(text)
        except ValueError:
            self.forget(name)
            say(_("The link's {0}, {1}, cannot be read; it is left out.").format(name, f"“{text[:40]}”"))
            return default

    def drop(self, error: InputError, say: Say) -> None:
        """Leaves out a prefix that this model cannot have, and says why."""
        say(_("The link's choices are left out. {0}").format(translate(error.message)))
        self.prefix, self.step = (), None
        self.forget("prefix", "step")

    def forget(self, *names: str) -> None:
        """Leaves some of them out of the address too."""
        for name in names:
            st.session_state[_CHOICES][name] = None
        self._show()

    @staticmethod
    def _show() -> None:
        """Writes them into the address."""
        for name in _NAMES:
            text = st.session_state[_CHOICES][name]
            if text is None:
                if name in st.query_params:
                    del st.query_params[name]
            elif st.query_params.get(name) != text:
                st.query_params[name] = text


def set_choices(**values: str | None) -> None:
    """Sets choices; for callbacks, which run before the page does."""
    st.session_state[_CHOICES].update(values)


def join_ids(ids: tuple[int, ...]) -> str | None:
    """Vocabulary ids as they stand in the address."""
    return ".".join(map(str, ids)) or None


def _parse_ids(text: str) -> tuple[int, ...]:
    return tuple(_parse_index(part) for part in text.split("."))


def _parse_index(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(text)
    return int(text)
