"""The app as a running server, for the tests in a browser, the benchmarks and the pictures."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

START_SECONDS = 120  # a cold start on a busy machine takes some 10
STOP_SECONDS = 10


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_healthy(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy must not stand between
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            with direct.open(f"{url}/_stcore/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    ended = "is still starting" if server.poll() is None else f"ended with status {server.returncode}"
    raise RuntimeError(f"the app {ended} after at most {START_SECONDS} s; it said:\n{log.read_text()[-4000:]}")


def stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def process_at(url: str) -> int:
    """The number of the process that `serving` has started for an address; on Linux."""
    port = url.rsplit(":", 1)[1].split("/")[0]
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"--server.port\0{port}" in (entry / "cmdline").read_text():
                return int(entry.name)
    raise RuntimeError(f"no process serves {url}, or this system does not say which")


@contextlib.contextmanager
def serving(
    folder: Path,
    *,
    headless: bool = True,
    base_path: str = "",
    installed: Path | None = None,
    script: Path = ROOT / "app.py",
    port: int | None = None,
    **variables: str,
) -> Iterator[str]:
    """The app as a user's `streamlit run app.py` serves it; yields its address.

    Args:
        folder: for what it downloads and what it says at the terminal.
        headless: False lets it open a browser, as it does for a user.
        base_path: what its addresses begin with, without slashes.
        installed: a folder that attnviz is installed in; it is then served by `attnviz serve` and away from the clone.
        script: a program of Streamlit's that is served in the app's place, for comparison.
        port: that it answers at; None for any that is free.
        variables: of its environment, such as HF_ENDPOINT.
    """
    log = folder / "server.log"
    port = port or free_port()
    # Neither this user's settings nor the models this user has downloaded change what the tests see.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STREAMLIT_")}
    environment |= {"HF_HOME": str(folder / "huggingface"), **variables}
    options = {"headless": str(headless).lower(), "address": "127.0.0.1", "port": str(port)}
    options |= {"baseUrlPath": base_path} if base_path else {}
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    command += [part for name, value in options.items() for part in (f"--server.{name}", value)]
    if installed:
        command = [sys.executable, "-m", "attnviz", "serve", "--port", str(port)]
        environment["PYTHONPATH"] = str(installed)
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=folder if installed else ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}" + (f"/{base_path}" if base_path else "")
        wait_until_healthy(url, server, log)
        yield url
    finally:
        stop(server)
