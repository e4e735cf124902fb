"""What can be set, what is said of a setting that cannot be read, and what a model does at a limit."""

from __future__ import annotations

from dataclasses import fields

import pytest
from support.bundled import bundled_model

import attnviz
from attnviz.errors import MemoryShortError, TooLongError
from attnviz.serving.limits import SETTINGS, Limits, SettingError, read_limits


def test_every_limit_has_a_variable_of_its_own() -> None:
    assert set(SETTINGS) == {field.name for field in fields(Limits)}
    assert len({setting.variable for setting in SETTINGS.values()}) == len(SETTINGS)


def test_somebody_alone_meets_no_limit_and_strangers_do() -> None:
    private, public = read_limits({}), read_limits({"ATTNVIZ_PUBLIC": "1"})
    names = ("characters", "tokens", "recording_bytes", "forward_seconds", "queue_seconds", "requests_per_minute")
    assert [getattr(private, name) for name in names] == [0] * len(names)
    assert all(getattr(public, name) > 0 for name in names)
    assert private.offered == {} and public.offered == {"bundled": "bundled"}


def test_a_limit_that_is_set_holds_for_everybody() -> None:
    read = read_limits({"ATTNVIZ_PUBLIC": "yes", "ATTNVIZ_MAX_TOKENS": "12", "ATTNVIZ_CACHE_BYTES": "2g"})
    assert (read.public, read.tokens, read.cache_bytes) == (True, 12, 2 * 1024**3)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ATTNVIZ_PUBLIC", "perhaps", "is 1 or 0, not 'perhaps'"),
        ("ATTNVIZ_MAX_TOKENS", "many", "is a whole number, not 'many'"),
        ("ATTNVIZ_MAX_TOKENS", "-1", "is a whole number, not '-1'"),
        ("ATTNVIZ_CACHE_BYTES", "3 apples", "a number of bytes such as 512M"),
        ("ATTNVIZ_QUEUE_SECONDS", "nan", "a number of seconds"),
        ("ATTNVIZ_FORWARDS", "0", "is at least 1"),
        ("ATTNVIZ_FRAME_ANCESTORS", "a\nb", "one line of text"),
        ("ATTNVIZ_MAX_TOKEN", "5", "no setting ATTNVIZ_MAX_TOKEN"),
    ],
)
def test_what_cannot_be_read_is_said(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        read_limits({name: value})


def test_a_public_server_without_a_model_is_a_mistake() -> None:
    with pytest.raises(SettingError, match="names no model"):
        read_limits({"ATTNVIZ_PUBLIC": "1", "ATTNVIZ_MODELS": " , "})


def test_a_text_that_is_too_long_is_refused_before_the_network_runs() -> None:
    whole = bundled_model()
    model = attnviz.Model(whole.network, whole.tokenizer)
    model.inputs.most_characters, model.inputs.most_tokens = 30, 4
    with pytest.raises(TooLongError, match="31 characters, and here it may have 30"):
        model.record("a" * 31)
    with pytest.raises(TooLongError, match="here a model reads 4 at most. Shorten it by"):
        model.record("Der Hund sah den Ball.")
    model.inputs.most_tokens = 0
    model.recorder.budget = 1
    with pytest.raises(MemoryShortError, match="free or allowed"):
        model.record("Der Hund sah den Ball.")
