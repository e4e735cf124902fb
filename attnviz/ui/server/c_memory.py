"""Memory that the C library manages: whose it is, and when the system gets back what is free.

Python and torch take everything that is larger than half a KiB from it. Where it is not glibc, nothing happens here.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_MIB = 1024**2
_ARENAS, _LARGE, _END = -8, -3, -1  # M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD in malloc.h


def take_memory_sparingly() -> None:
    """Has the C library share free memory among threads, and return more of it to the system.

    Each run of a page has a thread of its own. What these leave free in places of their own is of no use to others, so
    the process grew by some 50 KiB a visit for as long as anybody watched; there are no more than two new ones. By
    itself the library also learns from large tensors to leave up to 64 MiB free at the end of each place: less of that
    stays now, and the largest tensors have pages of their own, which go back with them.
    """
    if set_option := _function("mallopt"):
        set_option(_ARENAS, 2)
        set_option(_LARGE, 16 * _MIB)
        set_option(_END, 8 * _MIB)


def return_free_memory() -> None:
    """Gives back to the system what is free between what is in use, page by page.

    By itself the C library returns only what is free at the end. Of several hundred MiB it takes some 10 ms.
    """
    if trim := _function("malloc_trim"):
        trim(ctypes.c_size_t(0))


def _function(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
