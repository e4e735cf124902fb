"""Sends random and hostile inputs to a public server: to its pages, in links, as files, and to the API.

    python benchmarks/hostile.py --inputs 10000

Four tenths set a widget of a page, three are links, one is files and broken messages, two are requests to the API,
which are made from the API's own description. All hold texts that other programs have stumbled over. It ends with
status 1 where an answer is a fault of the program, has a traceback or a script made of a text, where the log has an
error, and where memory has grown by more than 100 MiB since the first 900.

A tenth of the widgets' values are of another kind than the widget's, which no browser sends.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

MOST_GROWTH = 100  # MiB
SETTLED = 900  # inputs, after which all pages have been seen and as many sessions are kept as Streamlit keeps: 128
PARTS = 10
SHARES = {"page": 0.4, "link": 0.3, "upload": 0.1, "API": 0.2}
CALLS = 5  # that the API has
REST = 8  # seconds until the server has looked for what nobody needs any more
TOGETHER = 4  # visitors at the same time


async def send_part(url: str, count: int, seed: int, findings: object) -> None:
    """Sends so many inputs to the pages, in links and as files."""
    from support.hostile_visits import follow_links, send_files, set_widgets

    visits = {"page": set_widgets, "link": follow_links, "upload": send_files}
    await asyncio.gather(
        *(
            visit(url, max(1, round(SHARES[name] * count / TOGETHER)), random.Random(f"{seed} {name} {one}"), findings)
            for name, visit in visits.items()
            for one in range(TOGETHER)
        )
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000, help="in all (default: 10,000)")
    parser.add_argument("--seed", type=int, default=0, help="another number makes other inputs (default: 0)")
    parser.add_argument("--minutes", type=float, default=30, help="after which no other part begins (default: 30)")
    parser.add_argument("--log", type=Path, help="where the server's log is put at the end")
    options = parser.parse_args()

    import schemathesis
    from support.hostile_requests import send_all
    from support.hostile_visits import Findings
    from support.server import process_at, serving

    findings, answers = Findings(), Counter[int]()
    began = time.monotonic()
    # Little is kept of what was computed, so that memory which grows is memory that is lost.
    settings = {"ATTNVIZ_PUBLIC": "1", "ATTNVIZ_REQUESTS_PER_MINUTE": "0", "ATTNVIZ_CACHE_BYTES": "32M"}
    settings |= {"HF_HUB_OFFLINE": "1", "STREAMLIT_LOGGER_ENABLE_RICH": "false"}
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), **settings) as url:
        schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
        memory: list[float] = []  # of the parts since it has settled
        told = 0
        for part in range(PARTS):
            seed, count = options.seed + part, options.inputs // PARTS
            asyncio.run(send_part(url, count, seed, findings))
            answers += send_all(schema, max(1, round(SHARES["API"] * count / CALLS)), begin_with=seed)
            sent = sum(findings.seen.values()) + sum(answers.values())
            time.sleep(REST)
            now, seconds = server_memory(process_at(url)), time.monotonic() - began
            memory += [now] if sent >= SETTLED else []
            print(f"{sent:6} inputs, {now:.0f} MiB, {len(findings.faults)} faults, {seconds:.0f} s", flush=True)
            for fault in findings.faults[told : told + 10]:
                print(f"  {fault}", flush=True)
            told = len(findings.faults)
            if seconds > 60 * options.minutes:
                print("no more time")
                break
        log = (Path(folder) / "server.log").read_text(encoding="utf-8", errors="replace")
    if options.log:
        options.log.write_text(log, encoding="utf-8")
    print("inputs:", ", ".join(f"{name} {count}" for name, count in sorted(findings.seen.items())))
    print("answers of the API by status:", ", ".join(f"{status}: {count}" for status, count in sorted(answers.items())))
    grown = memory[-1] - memory[0] if memory else 0.0
    print(f"memory since {SETTLED} inputs: {grown:+.0f} MiB")
    ours, others = tracebacks(log)
    print(f"errors in the log: {sum(ours.values())} of the app, {sum(others.values())} of Streamlit's own")
    print(f"faults: {len(findings.faults)}")
    for error, count in [*ours.most_common(10), *others.most_common(10)]:
        print(f"{count} times: {error}")
    return int(grown > MOST_GROWTH or bool(findings.faults or ours or others))


def tracebacks(log: str) -> tuple[Counter[str], Counter[str]]:
    """The errors in a log, by where they were raised and what they say: those of the app, and those of others."""
    counts: tuple[Counter[str], Counter[str]] = Counter(), Counter()
    for part in log.split("Traceback (most recent call last):")[1:]:
        places = re.findall(r'^  File "([^"]+)", line (\d+), in (.+)$', part, re.MULTILINE)
        message = re.search(r"^\S.*$", part, re.MULTILINE)
        if places and message:
            file, line, function = places[-1]
            is_ours = file.startswith(str(ROOT)) and "site-packages" not in file
            name = file.removeprefix(f"{ROOT}/") if is_ours else file.rpartition("site-packages/")[2]
            counts[0 if is_ours else 1][f"{name}:{line} {function}: {message[0][:200]}"] += 1
    return counts


def server_memory(process: int) -> float:
    """MiB of memory of a process; 0 where this system does not say."""
    try:
        return int(Path(f"/proc/{process}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return 0.0


if __name__ == "__main__":
    sys.exit(main())
