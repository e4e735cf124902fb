"""Memory that the C library manages: whose it is, and when the system gets back what is free.

Python and torch take everything that is larger than half a KiB from it. Where it is not glibc, nothing happens here.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_ARENAS = -8  # the number of that option, M_ARENA_MAX in malloc.h


def share_memory_among_threads() -> None:
    """Has all threads take their memory from two places of the C library's, and not from one each.

    Each run of a page has a thread of its own. What these leave free in places of their own is of no use to others, so
    the process grew by some 50 KiB a visit for as long as anybody watched.
    """
    if set_option := _function("mallopt"):
        set_option(_ARENAS, 2)


def return_free_memory() -> None:
    """Gives back to the system what is free between what is in use, page by page.

    By itself the C library returns only what is free at the end. Of several hundred MiB it takes some 10 ms.
    """
    if trim := _function("malloc_trim"):
        trim(ctypes.c_size_t(0))


def _function(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
