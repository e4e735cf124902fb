"""Numbers as the picture's program reads them: base64 of their bytes, row by row.

A tenth of what JSON would be, and nothing is rounded: what the browser draws is what the model computed.
"""

from __future__ import annotations

import base64

import numpy as np


def pack(numbers: object) -> str:
    """An array as base64 of little-endian float32, row by row.

    >>> pack([1.0, -2.0])
    'AACAPwAAAMA='
    """
    return base64.b64encode(np.asarray(numbers, dtype="<f4").tobytes()).decode("ascii")


def pack_flags(flags: object) -> str:
    """An array of truth values as base64 of a byte each, 0 or 1.

    >>> pack_flags([True, False])
    'AQA='
    """
    return base64.b64encode(np.asarray(flags, dtype=np.uint8).tobytes()).decode("ascii")


def unpack(text: str, *shape: int) -> np.ndarray:
    """What `pack` made a text of, in a shape.

    >>> unpack("AACAPwAAAMA=", 2).tolist()
    [1.0, -2.0]
    """
    return np.frombuffer(base64.b64decode(text), dtype="<f4").reshape(shape)
