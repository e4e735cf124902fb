"""What whoever serves the app can set, by environment variables: limits, public mode, log and metrics.

environment ─ read_limits ─ Limits ─ asked by loading, the queue, the pages and the API

A number of 0 means: no limit. Somebody who runs the app alone is not to notice that there are limits, so most of them
are 0 until ATTNVIZ_PUBLIC=1 says that strangers come.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

_MIB = 1024**2
_UNITS = {"": 1, "k": 1024, "m": _MIB, "g": 1024**3}
BUNDLED = "bundled"


class SettingError(ValueError):
    """An environment variable has a value that cannot be read; said at the terminal, where nobody translates."""


@dataclass(frozen=True)
class Setting:
    """One environment variable.

    Attributes:
        variable: its name.
        private: its value where nobody set it.
        public: likewise with ATTNVIZ_PUBLIC=1.
        least: the smallest number that means something; 0, no limit, where it is 0.
    """

    variable: str
    private: Any
    public: Any
    least: int = 0


SETTINGS = {
    "public": Setting("ATTNVIZ_PUBLIC", False, True),
    "models": Setting("ATTNVIZ_MODELS", "", BUNDLED),
    "characters": Setting("ATTNVIZ_MAX_CHARACTERS", 0, 20_000),
    "tokens": Setting("ATTNVIZ_MAX_TOKENS", 0, 4_096),
    "recording_bytes": Setting("ATTNVIZ_RECORDING_BYTES", 0, 512 * _MIB),
    "forward_seconds": Setting("ATTNVIZ_FORWARD_SECONDS", 0.0, 30.0),
    "forwards": Setting("ATTNVIZ_FORWARDS", 2, 2, least=1),
    "queue_seconds": Setting("ATTNVIZ_QUEUE_SECONDS", 0.0, 60.0),
    "queue_length": Setting("ATTNVIZ_QUEUE_LENGTH", 1_000, 200, least=1),
    "requests_per_minute": Setting("ATTNVIZ_REQUESTS_PER_MINUTE", 0, 300),
    "models_loaded": Setting("ATTNVIZ_MODELS_LOADED", 3, 3, least=1),
    "models_bytes": Setting("ATTNVIZ_MODELS_BYTES", 0, 8 * 1024 * _MIB),
    "cache_bytes": Setting("ATTNVIZ_CACHE_BYTES", 512 * _MIB, 512 * _MIB, least=1),
    "upload_bytes": Setting("ATTNVIZ_UPLOAD_BYTES", 200 * _MIB, 5 * _MIB, least=_MIB),
    "frame_ancestors": Setting("ATTNVIZ_FRAME_ANCESTORS", "*", "'self'"),
    "log_requests": Setting("ATTNVIZ_LOG_REQUESTS", False, True),
    "log_text": Setting("ATTNVIZ_LOG_TEXT", False, False),
    "metrics_token": Setting("ATTNVIZ_METRICS_TOKEN", "", ""),
    "metrics_port": Setting("ATTNVIZ_METRICS_PORT", 0, 0),
}
"""Each field of `Limits` with its variable and its value where nobody set it; docs/serving.md explains them."""


@dataclass(frozen=True)
class Limits:
    """The settings of this process; of a number, 0 means no limit.

    Attributes:
        public: whether strangers come: only the models of the list, and nothing about this computer in any answer.
        models: names that are offered, each "bundled", a Hub id, or `name=folder`; in private use others may be used.
        characters: of a text that is typed.
        tokens: that a model reads at once.
        recording_bytes: of queries, keys and values of one text.
        forward_seconds: that one computation may keep a model to itself.
        forwards: networks that compute at the same time; each computes for one person at a time in any case.
        queue_seconds: that somebody waits for a turn, all turns of a request together.
        queue_length: how many wait at the same time.
        requests_per_minute: of one visitor, counting those that need a model to compute.
        models_loaded: models in memory; the one that was used least recently goes.
        models_bytes: of all of them, likewise.
        cache_bytes: of what was computed with one model.
        upload_bytes: of a file that somebody sends.
        frame_ancestors: sites that may show the app in a frame, as the header Content-Security-Policy has them.
        log_requests: whether each request writes a line.
        log_text: whether this line has the text that was typed.
        metrics_token: what a reader of /metrics has to show; empty: /metrics is not there.
        metrics_port: a port of its own for /metrics, where no token is asked for; 0 for none.
    """

    public: bool
    models: str
    characters: int
    tokens: int
    recording_bytes: int
    forward_seconds: float
    forwards: int
    queue_seconds: float
    queue_length: int
    requests_per_minute: int
    models_loaded: int
    models_bytes: int
    cache_bytes: int
    upload_bytes: int
    frame_ancestors: str
    log_requests: bool
    log_text: bool
    metrics_token: str
    metrics_port: int

    @property
    def offered(self) -> dict[str, str]:
        """The models of the list: what each is called, and what it is loaded by.

        >>> read_limits({"ATTNVIZ_MODELS": "bundled, tiny=/models/tiny"}).offered
        {'bundled': 'bundled', 'tiny': '/models/tiny'}
        """
        entries = [entry.strip() for entry in self.models.split(",")]
        pairs = [entry.partition("=") for entry in entries if entry]
        return {name.strip(): (source.strip() if equals else name.strip()) for name, equals, source in pairs}


@functools.cache
def limits() -> Limits:
    """The settings of this process, read once; raises SettingError as `read_limits`."""
    return read_limits(os.environ)


def read_limits(environment: Mapping[str, str]) -> Limits:
    """The settings by environment variables.

    Args:
        environment: variables by name; of bytes a number may end with k, M or G.

    Raises:
        SettingError: a value that cannot be read, or a variable ATTNVIZ_… that there is not.

    >>> read_limits({}).tokens, read_limits({"ATTNVIZ_PUBLIC": "1"}).tokens
    (0, 4096)
    >>> read_limits({"ATTNVIZ_CACHE_BYTES": "64M"}).cache_bytes
    67108864
    """
    public = _switch("ATTNVIZ_PUBLIC", environment.get("ATTNVIZ_PUBLIC", ""), False)
    values: dict[str, Any] = {}
    for field in fields(Limits):
        setting = SETTINGS[field.name]
        default = setting.public if public else setting.private
        text = environment.get(setting.variable, "").strip()
        if isinstance(default, bool):
            values[field.name] = _switch(setting.variable, text, default)
        elif isinstance(default, str):
            values[field.name] = _line(setting.variable, text) or default
        else:
            values[field.name] = _number(setting, text, default)
    known = {setting.variable for setting in SETTINGS.values()}
    for name in environment:
        if (
            name.startswith(("ATTNVIZ_MAX_", "ATTNVIZ_QUEUE_", "ATTNVIZ_MODELS", "ATTNVIZ_PUBLIC"))
            and name not in known
        ):
            raise SettingError(f"There is no setting {name}. Those that there are: {', '.join(sorted(known))}.")
    read = Limits(**values)
    if read.public and not read.offered:
        raise SettingError(f"ATTNVIZ_MODELS names no model. Name some, such as {BUNDLED}.")
    return read


def _switch(variable: str, text: str, default: bool) -> bool:
    words = {"": default, "1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    if text.strip().casefold() not in words:
        raise SettingError(f"{variable} is 1 or 0, not {text!r}.")
    return words[text.strip().casefold()]


def _line(variable: str, text: str) -> str:
    if any(character < " " for character in text):
        raise SettingError(f"{variable} is one line of text, not {text!r}.")
    return text


def _number(setting: Setting, text: str, default: float) -> float:
    if not text:
        return default
    whole = isinstance(default, int)
    in_bytes = setting.variable.endswith("_BYTES")
    pattern = r"(\d+)([kmg]?)" if in_bytes else r"(\d[\d_]*)()" if whole else r"(\d+(?:\.\d+)?)()"
    parts = re.fullmatch(pattern, text, re.IGNORECASE)
    wanted = "a number of bytes such as 512M" if in_bytes else "a whole number" if whole else "a number of seconds"
    if parts is None:
        raise SettingError(f"{setting.variable} is {wanted}, not {text!r}. 0 means no limit.")
    number = (int if whole else float)(parts[1]) * _UNITS[parts[2].casefold()]
    if number < setting.least:
        raise SettingError(f"{setting.variable} is at least {setting.least}, not {text!r}.")
    return number
