"""The address of the present view as a QR code, so that a class can follow."""

from __future__ import annotations

from typing import Any

import segno
from segno.encoder import DataOverflowError


def qr_code(address: str) -> dict[str, Any] | None:
    """The code as rows of modules; None for no address, or one that no code holds.

    Args:
        address: as the browser has it.

    Returns:
        `text`, the address, and `modules`, a text of "1" (dark) and "0" for each row, without the margin of four
        modules that a code needs around it (ISO/IEC 18004, section 5.3.8).

    >>> len(qr_code("https://example.org/story?scene=4")["modules"])
    29
    """
    if not address:
        return None
    try:
        code = segno.make_qr(address, error="m")
    except DataOverflowError:
        return None
    return {"text": address, "modules": ["".join("1" if module else "0" for module in row) for row in code.matrix]}
