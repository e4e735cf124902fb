"""Sends random and hostile requests to the API of a public server: faults, tracebacks, and how much memory grows.

    python benchmarks/hostile_api.py --requests 10000

The requests are made from the API's own description, with texts that other programs have stumbled over in between. Each
answer is held against the description. It ends with status 1 where one is not described, is a fault, or names a file of
this machine, and where memory has grown by more than 100 MiB since the first thousand.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

MOST_GROWTH = 100  # MiB
PARTS = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000, help="in all (default: 10,000)")
    parser.add_argument("--seed", type=int, default=0, help="another number makes other requests (default: 0)")
    options = parser.parse_args()

    import schemathesis
    from support.hostile_requests import send_all
    from support.server import process_at, serving

    seen: Counter[int] = Counter()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        # Little is kept of what was computed, so that memory which grows is memory that is lost.
        settings = {"ATTNVIZ_PUBLIC": "1", "ATTNVIZ_REQUESTS_PER_MINUTE": "0", "ATTNVIZ_CACHE_BYTES": "32M"}
        settings |= {"HF_HUB_OFFLINE": "1"}
        with serving(Path(folder), **settings) as url:
            schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
            after_first = 0.0
            part = 0
            while sum(seen.values()) < options.requests:
                seen += send_all(schema, max(options.requests // PARTS // 3, 1), begin_with=options.seed + part)
                part += 1
                memory = server_memory(process_at(url))
                after_first = after_first or memory
                print(
                    f"{sum(seen.values()):6} requests, {memory:.0f} MiB, {time.monotonic() - began:.0f} s", flush=True
                )
            log = (Path(folder) / "server.log").read_text(encoding="utf-8", errors="replace")
    print("answers by status:", ", ".join(f"{status}: {count}" for status, count in sorted(seen.items())))
    grown = memory - after_first
    print(f"memory since the first part: {grown:+.0f} MiB; tracebacks in the log: {log.count('Traceback')}")
    return int(grown > MOST_GROWTH or "Traceback" in log)


def server_memory(process: int) -> float:
    """MiB of memory of a process; 0 where this system does not say."""
    try:
        return int(Path(f"/proc/{process}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return 0.0


if __name__ == "__main__":
    sys.exit(main())
