"""Kills one of two copies of the app (kill -9) behind a proxy while programs ask for weights: do visitors go on?

    python benchmarks/replica_killed.py
    python benchmarks/replica_killed.py --caddy caddy     with that program and deploy/Caddyfile, over TLS

Two visitors open a view each in a browser, one at each copy. The copy of the first is killed. Measured are the seconds
until the first is connected to the other copy and sees the effect of another choice, whether both see what they saw,
and how many of the programs' requests fail. Ends with status 1 where that takes more than ten seconds, or somebody sees
something else, or Caddy passes on what is not for visitors.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

COOKIE = "attnviz_copy"
MOST_SECONDS = 10
VIEWS = (("Der Hund sah den Ball.", 1), ("Die Katze schläft.", 2))


class StickyProxy:
    """Passes bytes on to copies of the app: a visitor's cookie names one, and another steps in where it is gone.

    It reads the first request of a connection and changes the first answer, which gets the cookie; the rest it passes
    on as it is, web sockets too. That is enough for a measurement and not for more.
    """

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self.newcomers = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            named = re.search(rb"attnviz_copy=(\d+)", head)
            copy = int(named[1]) if named else self.newcomers
            self.newcomers += not named
            copy, (back, forth) = await self.reach(copy % len(self.ports))
            forth.write(head)
            requests = asyncio.create_task(passed_on(reader, forth))
            answer = await back.readuntil(b"\r\n\r\n")
            cookie = f"\r\nSet-Cookie: {COOKIE}={copy}; Path=/\r\n\r\n".encode()
            writer.write(answer[:-4] + cookie)
            await passed_on(back, writer)
            requests.cancel()
        writer.close()

    async def reach(self, copy: int) -> tuple[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection to this copy, or else to another one."""
        for candidate in sorted(range(len(self.ports)), key=lambda number: number != copy):
            with contextlib.suppress(OSError):
                return candidate, await asyncio.open_connection("127.0.0.1", self.ports[candidate], limit=2**20)
        raise OSError("no copy answers")


async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes all bytes on, until one side ends."""
    with contextlib.suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    writer.close()


@contextlib.contextmanager
def proxied(ports: list[int]) -> Iterator[str]:
    """The address of a proxy before copies at these ports."""
    loop = asyncio.new_event_loop()
    started: list[asyncio.Server] = []
    ready = threading.Event()

    async def start() -> None:
        started.append(await asyncio.start_server(StickyProxy(ports).serve, "127.0.0.1", 0, limit=2**20))
        ready.set()

    def run() -> None:
        loop.create_task(start())
        loop.run_forever()

    threading.Thread(target=run, daemon=True).start()
    ready.wait()
    yield f"http://127.0.0.1:{started[0].sockets[0].getsockname()[1]}"
    loop.call_soon_threadsafe(loop.stop)


@contextlib.contextmanager
def proxied_by_caddy(program: str, ports: list[int], folder: Path) -> Iterator[str]:
    """The address of Caddy before copies at these ports, as deploy/Caddyfile says, with a certificate of its own."""
    from support.server import free_port, stop

    port = free_port()
    options = f"skip_install_trust\n\tadmin off\n\thttp_port {free_port()}\n\tstorage file_system {folder}"
    settings = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    addresses = " ".join(f"127.0.0.1:{port}" for port in ports)
    settings, changed = re.subn(r"^(\s*to) .*$", rf"\1 {addresses}", settings, flags=re.MULTILINE)
    assert changed == 1
    (folder / "Caddyfile").write_text(f"{{\n\t{options}\n}}\n{settings}", encoding="utf-8")
    with (folder / "caddy.log").open("wb") as log:
        caddy = subprocess.Popen(
            [program, "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"],
            env={**os.environ, "SITE": f"https://localhost:{port}"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"https://localhost:{port}"
        end = time.monotonic() + 30
        while status(f"{url}/_stcore/health") != 200:
            if caddy.poll() is not None or time.monotonic() > end:
                raise RuntimeError((folder / "caddy.log").read_text()[-4000:])
            time.sleep(0.2)
        yield url
    finally:
        stop(caddy)


def opener() -> urllib.request.OpenerDirector:
    """What asks without a proxy of this computer's in between, and takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))


def status(url: str) -> int:
    """What an address answers; 0 where nobody does."""
    try:
        with opener().open(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def copy_of(cookie: str, ports: list[int]) -> int:
    """Which copy a visitor's cookie names: by its number, or, as Caddy does it, by a hash of its address."""
    by_hash = [hmac.new(b"", f"127.0.0.1:{port}".encode(), hashlib.sha256).hexdigest() for port in ports]
    return by_hash.index(cookie) if cookie in by_hash else int(cookie)


class Load:
    """Programs that ask for weights, one request after the other."""

    def __init__(self, url: str, programs: int) -> None:
        self.url = url
        self.answered = self.failed = 0
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(number,), daemon=True) for number in range(programs)]
        for thread in self.threads:
            thread.start()

    def ask(self, number: int) -> None:
        """One program."""
        direct = opener()
        count = 0
        while not self.ends.wait(0.3):
            count += 1
            body = json.dumps({"text": f"Der Hund {number} sah {count} Bälle.", "layer": 1, "head": 2}).encode()
            asked = urllib.request.Request(
                f"{self.url}/api/v1/attention", body, {"Content-Type": "application/json", "Connection": "close"}
            )
            try:
                with direct.open(asked, timeout=30) as answer:
                    self.answered += answer.status == 200
            except (OSError, urllib.error.URLError):
                self.failed += 1

    def stop(self) -> None:
        """Ends them."""
        self.ends.set()
        for thread in self.threads:
            thread.join(30)


def wait_for_connection(page: Page, killed: float) -> None:
    """Waits until the page has lost its connection, which it may not have noticed at once, and has one again."""
    state = "document.querySelector('[data-testid=stApp]').dataset.testConnectionState"
    while page.evaluate(state) == "CONNECTED" and time.monotonic() - killed < MOST_SECONDS:
        time.sleep(0.02)
    while page.evaluate(state) != "CONNECTED" and time.monotonic() - killed < 6 * MOST_SECONDS:
        time.sleep(0.02)


def main() -> int:
    from playwright.sync_api import expect, sync_playwright
    from support.browser import launch
    from support.browsing import new_context, wait_until_drawn
    from support.server import process_at, serving

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--caddy", metavar="PROGRAM", help="Caddy, which takes the place of the small proxy")
    options = parser.parse_args()
    expect.set_options(timeout=60_000)
    with contextlib.ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        copies = [stack.enter_context(serving(folder)) for folder in folders]
        ports = [int(url.rsplit(":", 1)[1]) for url in copies]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        proxy = proxied_by_caddy(options.caddy, ports, folder) if options.caddy else proxied(ports)
        url = stack.enter_context(proxy)
        browser = launch(stack.enter_context(sync_playwright()))
        pages = []
        for sentence, layer in VIEWS:
            settings = {"base_url": url, "ignore_https_errors": True, "viewport": {"width": 1280, "height": 720}}
            page = new_context(browser, **settings).new_page()
            page.goto(f"/?sentence={sentence}&layer={layer}")
            wait_until_drawn(page, sentence)
            pages.append(page)
        cookies = [cookie["value"] for page in pages for cookie in page.context.cookies() if cookie["name"] == COOKIE]
        at = [copy_of(cookie, ports) for cookie in cookies]
        print(f"visitors at the copies {', '.join(map(str, at))}")
        inside = {path: status(f"{url}{path}") for path in ("/metrics", "/healthz", "/readyz")} if options.caddy else {}
        load = Load(url, programs=2)
        time.sleep(3)
        before = [(page.url, page.locator(".attnviz-heads-summary").inner_text()) for page in pages]
        killed = time.monotonic()
        os.kill(process_at(copies[at[0]]), signal.SIGKILL)
        page = pages[0]
        wait_for_connection(page, killed)
        connected = time.monotonic() - killed
        wait_until_drawn(page, VIEWS[0][0])
        again = time.monotonic() - killed
        same = before == [(page.url, page.locator(".attnviz-heads-summary").inner_text()) for page in pages]
        page.locator(".st-key-layer button").nth(3).click()
        expect(page.locator(".attnviz-heads-summary")).to_contain_text("layer 3")
        went_on = time.monotonic() - killed
        load.stop()
        print(f"connected again after {connected:.1f} s, the view drawn after {again:.1f} s")
        print(f"the visitor's next choice seen after {went_on:.1f} s")
        print(f"the same view as before: {'yes' if same else 'no'}")
        print(f"requests of programs: {load.answered} answered, {load.failed} failed")
        print("".join(f"{path} answers {code}\n" for path, code in inside.items()), end="")
    return int(not same or went_on > MOST_SECONDS or bool(set(inside.values()) - {404}))


if __name__ == "__main__":
    sys.exit(main())
