"""How many processes may share the tests on this machine."""

from __future__ import annotations

import math
import os
from pathlib import Path

# A process of tests has torch, the models that it made, and a browser.
GIGABYTES_EACH = 2.5


def cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """The cores that this process may use: those it is bound to, or what its container gets of them.

    Args:
        quota: the file in which Linux says what a container gets, "200000 100000" for two cores; "max" is no limit.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        share, period = quota.read_text().split()
    except (OSError, ValueError):
        return allowed
    return allowed if share == "max" else max(1, min(allowed, math.ceil(int(share) / int(period))))


def memory_gigabytes(limit: Path = Path("/sys/fs/cgroup/memory.max")) -> float:
    """This machine's memory, or what its container gets of it; `limit` is the file that says so, in bytes or "max"."""
    try:
        own = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # not on Windows
        own = 8 << 30
    try:
        said = limit.read_text().strip()
    except OSError:
        said = "max"
    return (own if said == "max" else min(own, int(said))) / (1 << 30)


def workers(cores: int, gigabytes: float) -> int:
    """One more than there are cores, since a test in a browser often waits for its server; fewer where memory is short.

    >>> workers(2, 24), workers(8, 64), workers(8, 16), workers(2, 4)
    (3, 8, 6, 1)
    """
    return max(1, min(cores + 1, 8, int(gigabytes / GIGABYTES_EACH)))
