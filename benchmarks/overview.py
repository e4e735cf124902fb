"""How fast the overview of 72 heads answers, in a real browser, and how much it sends.

    python benchmarks/overview.py
    python benchmarks/overview.py --model folder/of/an/encoder

Starts the app as a user would and types sentences of 16 and of 256 tokens, each one new to the app. A run lasts from
Enter to the frame in which all heads stand; its bytes are those that the browser received over the web socket
meanwhile. Without `--model` it makes an encoder of 6 layers with 12 heads, in the size of a small BERT with random
weights: what is drawn means nothing, and takes as long.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import transformers
from playwright.sync_api import Page, WebSocket, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support import browser as chromium  # noqa: E402  (it finds the browser that the tests use)
from support import tiny_tokenizers  # noqa: E402

import app as heads  # noqa: E402  (the benchmark beside this one)

LAYERS, HEADS = 6, 12
LENGTHS = ((16, "≤ 400"), (256, "≤ 1500"))
MOST_SENT = "≤ 2.00"


def save_encoder(folder: Path) -> Any:
    """Saves a random encoder and returns its tokenizer."""
    tokenizer = tiny_tokenizers.wordpiece()
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=384,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=1536,
        max_position_embeddings=512,
        initializer_range=0.15,  # large enough for heads that are not uniform
    )
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return tokenizer


def sentences(tokenizer: Any, length: int, count: int) -> list[str]:
    """Sentences of exactly so many tokens, no two alike."""
    words = [word for text in tiny_tokenizers.CORPUS for word in text.split()]
    single = sorted({word for word in words if len(tokenizer(word, add_special_tokens=False)["input_ids"]) == 1})
    room = length - len(tokenizer("")["input_ids"])
    texts = [" ".join(islice(cycle(single), start, start + room)) for start in range(len(single))]
    texts = list(dict.fromkeys(texts))
    # Around the same words again, with another one at the beginning.
    more = [f"{first} {text.split(' ', 1)[1]}" for text in texts for first in reversed(single)]
    texts = list(dict.fromkeys([*texts, *more]))[:count]
    assert len(texts) == count and all(len(tokenizer(text)["input_ids"]) == length for text in texts)
    return texts


class Received:
    """How many bytes the page got over its web sockets."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._count)

    def _count(self, payload: str | bytes) -> None:
        self.bytes += len(payload if isinstance(payload, bytes) else payload.encode())


def measure(page: Page, received: Received, texts: list[str]) -> tuple[list[float], list[int]]:
    """Milliseconds and bytes of each sentence."""
    times, sent = [], []
    for text in texts:
        page.wait_for_timeout(300)  # until all of the last run has come in
        before = received.bytes
        times.append(heads.enter(page, text))
        page.wait_for_timeout(300)
        sent.append(received.bytes - before)
    return times, sent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="sentences of each length (default: %(default)s)")
    parser.add_argument("--model", help="a folder with an encoder, instead of one with random weights")
    arguments = parser.parse_args()
    rows = []
    port = heads.free_port()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        folder = Path(arguments.model or Path(home) / "encoder")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder) if arguments.model else save_encoder(folder)
        browser = chromium.launch(playwright)
        server = heads.start(port, home)
        try:
            page = browser.new_page(bypass_csp=True, viewport={"width": 1440, "height": 900})
            received = Received(page)
            page.goto(f"http://127.0.0.1:{port}/")
            page.locator(".attnviz-ready").wait_for(state="attached", timeout=120_000)
            page.goto(f"http://127.0.0.1:{port}/overview?{urlencode({'model': str(folder.resolve())})}")
            page.locator(".attnviz-mosaic").wait_for(state="attached", timeout=120_000)
            page.locator(".attnviz-ready").wait_for(state="attached", timeout=120_000)
            tiles = page.locator(".attnviz-mosaic-tile").count()
            for length, goal in LENGTHS:
                texts = sentences(tokenizer, length, arguments.runs + 2)
                measure(page, received, texts[:2])
                times, sent = measure(page, received, texts[2:])
                rows.append((f"{tiles} heads, {length} tokens: median of {arguments.runs}", times, sent, goal))
        finally:
            server.terminate()
            server.wait(10)
            browser.close()
    print(f"{'':40}{'ms':>8}{'fastest':>9}{'slowest':>9}   goal{'MB sent':>14}   goal")
    for name, times, sent, goal in rows:
        numbers = f"{statistics.median(times):8.0f}{min(times):9.0f}{max(times):9.0f}   {goal:8}"
        print(f"{name:40}{numbers}{statistics.median(sent) / 1e6:10.2f}   {MOST_SENT}")


if __name__ == "__main__":
    main()
