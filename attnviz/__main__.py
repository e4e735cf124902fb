"""The command line: `attnviz` opens the app, `attnviz COMMAND …` does one thing; `python -m attnviz` is the same.

Ends with status 0; 1 where attnviz says that something cannot be done; 2 where the command line is wrong.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from attnviz.errors import AttnvizError

HELP = """usage: attnviz [COMMAND] ...

See what every attention head of a transformer does with a text.

commands:
  attnviz                  open the app in the browser
  attnviz serve            serve the app, to this computer or to others
  attnviz picture TEXT     write heads as a picture, or print their strongest weights
  attnviz roles            measure what every head does over a corpus

`attnviz COMMAND --help` lists what a command takes.
`attnviz TEXT ...` is short for `attnviz picture TEXT ...`.

  -h, --help               show this
  --version                show the version
"""


def _serve(arguments: Sequence[str]) -> str:
    from attnviz.ui.server.command import serve

    return serve(arguments)


def _picture(arguments: Sequence[str]) -> str:
    from attnviz.commands.picture import picture

    return picture(arguments)


def _roles(arguments: Sequence[str]) -> str:
    from attnviz.roles.command import roles

    return roles(arguments)


COMMANDS: dict[str, Callable[[Sequence[str]], str]] = {"serve": _serve, "picture": _picture, "roles": _roles}
"""By name: takes the arguments that follow it, returns what is to be printed, raises AttnvizError where it cannot."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status.

    Example:
        >>> main(["picture", "Der Hund sah den Ball.", "--layer", "2", "--head", "5", "-o", "out.svg"])
        0
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        output = _run(given)
    except AttnvizError as error:
        sys.stderr.write(f"attnviz: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return _print(output)


def _run(given: Sequence[str]) -> str:
    """What is to be printed."""
    if not given:
        return _serve(["--open"])
    if given[0] in ("-h", "--help"):
        return HELP
    if given[0] == "--version":
        from importlib.metadata import version

        return f"attnviz {version('attnviz')}\n"
    if given[0] in COMMANDS:
        return COMMANDS[given[0]](given[1:])
    return _picture(given)  # a text, as before there were commands


def _print(text: str) -> int:
    """Writes to the standard output, whatever it can hold, and as long as somebody reads it."""
    if isinstance(sys.stdout.encoding, str) and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more when it ends
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
