"""How a number is set for people: with a real minus and the reader's sign before the decimals.

Files for programs (CSV, npz) and code keep what Python writes.
"""

from __future__ import annotations

import math
import re

_ZERO = re.compile(r"-(?=0(?:\.0*)?(?![\d.]))")  # of a number that is nothing after rounding
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_HYPHEN = re.compile(r"(?<![\w.])-(?=\d|inf\b)")  # before a number, not within a word or between two numbers


def set_minus(text: str) -> str:
    """The text with U+2212 before its negative numbers, and none before a zero.

    Example:
        >>> set_minus("-0.25"), set_minus("-0.00"), set_minus("L2-H5 · -3 × 0.5")
        ('−0.25', '0.00', 'L2-H5 · −3 × 0.5')
    """
    return _HYPHEN.sub("−", _ZERO.sub("", text))


def set_power(value: float, digits: int = 1) -> str:
    """A number as a power of ten, with a point before its decimals.

    Example:
        >>> set_power(-2.4e-7)
        '−2.4·10⁻⁷'
    """
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return set_minus(f"{mantissa}·10{str(int(exponent)).translate(_RAISED)}")


def set_number(value: float, digits: int = 2, *, decimal: str = ".", signed: bool = False) -> str:
    """A number with so many decimals.

    Args:
        value: any number; an infinite one is "∞" or "−∞".
        digits: decimals, 0 or more.
        decimal: what stands before them.
        signed: whether a positive number has its sign too, as a difference does.

    Example:
        >>> set_number(-0.25), set_number(-1e-9), set_number(0.418, decimal=",", signed=True)
        ('−0.25', '0.00', '+0,42')
    """
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = set_minus(f"{value:.{digits}f}")
    sign = "+" if signed and value > 0 and float(f"{value:.{digits}f}") else ""
    return f"{sign}{text.replace('.', decimal)}"
