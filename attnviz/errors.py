"""Every error that attnviz raises on purpose.

    AttnvizError
    ├── LoadError            a model could not be loaded
    │   ├── NotFoundError    no such folder, no such Hub id
    │   ├── NetworkError     the Hub could not be reached
    │   ├── UnsafeError      a checkpoint or repository that would run code of its own
    │   └── NotOfferedError  a model that is not on the list of a public server
    ├── InputError           what was typed or passed cannot be used
    │   ├── EmptyError       nothing to look at
    │   ├── TooLongError     more tokens than the model has positions
    │   ├── NoTokenizerError text for a model that has no tokenizer
    │   └── DamagedError     a file that is no picture, or not the whole of one
    ├── NoAttentionError     the model has no attention weights that could be shown whole
    ├── FontError            the machine has no font for a character that is to be drawn
    ├── MemoryShortError     the machine or the accelerator ran out of memory
    └── LimitError           more than whoever serves the app allows
        ├── BusyError        too many people at once
        └── TooOftenError    one person, too often within a minute

Each message says what is needed, what was received and what to do next. Python shows it in English. It also holds the
template and the values that it was made from, so that the app can say it in the reader's language, and may hold what a
page says in its place.
"""

from __future__ import annotations

from typing import Any


class Message(str):
    """A text for a person, in English, that knows the template and the values that it was made from.

    A value may be a message itself, where a sentence has a part that can be one of several. `on_page` is what a page
    of the app says instead, where the text names what only a Python user can do; None where both read the same.

    >>> message = Message("The text has {0:,} tokens.", 1200)
    >>> message, message.template, message.values
    ('The text has 1,200 tokens.', 'The text has {0:,} tokens.', (1200,))
    """

    template: str
    values: tuple[Any, ...]
    on_page: Message | None

    def __new__(cls, template: str, *values: Any, on_page: Message | None = None) -> Message:
        """A message from a template with `{0}`, `{1}` … where the values go; without values it stands as it is."""
        if isinstance(template, Message) and not values:
            return template
        message = super().__new__(cls, template.format(*values) if values else template)
        message.template, message.values, message.on_page = str(template), values, on_page
        return message


class AttnvizError(Exception):
    """The root of every error that attnviz raises on purpose; its text is written for the person at the screen.

    Attributes:
        message: what `str` gives, with its template and values.
        fitting: of a text that is too long, how many tokens would not be; None where that is not known.
    """

    fitting: int | None = None

    def __init__(self, template: str, *values: Any, on_page: Message | None = None) -> None:
        """Takes what `Message` takes."""
        self.message = Message(template, *values, on_page=on_page)
        super().__init__(self.message)


class LoadError(AttnvizError):
    """A model could not be loaded."""


class NotFoundError(LoadError):
    """There is no such folder, Hub id or revision."""


class NetworkError(LoadError):
    """The Hub could not be reached."""


class UnsafeError(LoadError):
    """The checkpoint is a pickle, or the repository needs code of its own; attnviz runs neither."""


class NotOfferedError(LoadError):
    """The model is not on the list of a public server."""


class InputError(AttnvizError, ValueError):
    """What was typed or passed cannot be used."""


class EmptyError(InputError):
    """There is no token to look at."""


class TooLongError(InputError):
    """The input has more tokens than the model has positions."""


class NoTokenizerError(InputError):
    """Text was given, but the model has no tokenizer."""


class DamagedError(InputError):
    """What was read is no picture, or not the whole of one."""


class NoAttentionError(AttnvizError):
    """The model has no attention weights, or none that could be shown whole and right."""


class FontError(AttnvizError):
    """The machine has no font for a character that is to be drawn."""


class MemoryShortError(AttnvizError):
    """The machine or the accelerator ran out of memory."""


class LimitError(AttnvizError):
    """More was asked for than whoever serves the app allows."""


class BusyError(LimitError):
    """Too many people want something computed at the same time."""


class TooOftenError(LimitError):
    """One visitor has asked for more within a minute than one may."""


def out_of_memory(error: BaseException) -> bool:
    """Whether another library's error means that memory ran out; some devices say so in words only."""
    words = ("out of memory", "not enough memory", "can't allocate memory")
    is_memory_error = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return is_memory_error or (isinstance(error, RuntimeError) and any(item in str(error) for item in words))
