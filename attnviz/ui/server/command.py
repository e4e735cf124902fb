"""`attnviz serve`: starts the app's server from the command line, installed or from a clone."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import attnviz
from attnviz.errors import InputError

EXAMPLES = """examples:
  attnviz                                    open the app in the browser
  attnviz serve --port 9000                  for this computer, at http://127.0.0.1:9000
  attnviz serve --host 0.0.0.0 --public      for everybody who reaches this computer, with the models on the list only

Every setting of Streamlit's server can also be given in the environment, such as STREAMLIT_SERVER_BASE_URL_PATH."""


def serve(arguments: Sequence[str]) -> str:
    """Serves the app until it is stopped.

    Args:
        arguments: of the command line, after `serve`.

    Returns:
        Nothing is left to print, so "".

    Raises:
        InputError: another program uses the port, or the address is none of this computer.
        SystemExit: with status 2 where the arguments are wrong, with status 0 after `--help`.
        KeyboardInterrupt: somebody stopped it with Ctrl+C.

    Example:
        >>> serve(["--port", "9000"])   # doctest: +SKIP
    """
    options = _parser().parse_args(arguments)
    if options.public:
        os.environ["ATTNVIZ_PUBLIC"] = "1"
    if options.port:
        check_port(options.host or "127.0.0.1", options.port)
    # What is not given here is left to Streamlit's own settings, from the environment and .streamlit/config.toml.
    settings = {"address": options.host, "port": options.port, "headless": "false" if options.open else "true"}
    flags = [part for name, value in settings.items() if value is not None for part in (f"--server.{name}", str(value))]
    from streamlit.web import cli

    try:
        cli.main(["run", str(app_file()), *flags], prog_name="attnviz serve", standalone_mode=False)
    except RuntimeError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise error.__cause__ from None  # Ctrl+C, which Streamlit's command line hides in an error of its own
        raise
    return ""


def app_file() -> Path:
    """Where app.py is: within the installed package, or at the top of a clone.

    Example:
        >>> app_file().name
        'app.py'
    """
    package = Path(attnviz.__file__).resolve().parent
    installed = package / "app" / "app.py"
    return installed if installed.exists() else package.parent / "app.py"


def check_port(host: str, port: int) -> None:
    """Makes sure that the server can have this port.

    Args:
        host: an address of this computer; 0.0.0.0 is all of them.
        port: 0 to 65535; 0 is any that is free.

    Raises:
        InputError: it cannot.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            if os.name == "posix":  # on Windows this option would let two programs have one port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise InputError(
            "The app cannot answer at {0}, port {1}: {2}. Choose another port with --port or another address of this "
            "computer with --host.",
            host,
            port,
            error.strerror or str(error),
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="attnviz serve",
        description="Serve the app until it is stopped with Ctrl+C.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host", metavar="ADDRESS", help="address to answer at (default: 127.0.0.1, this computer only; 0.0.0.0: all)"
    )
    parser.add_argument("--port", type=_port, metavar="N", help="port (default: 8501, or the next that is free)")
    parser.add_argument(
        "--public", action="store_true", help="serve people you do not know: only models on a list, no folder of yours"
    )
    parser.add_argument("--open", action="store_true", help="open the app in the browser")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{port} is no port: ports are 1 to 65535, and 0 is any that is free")
    return port
