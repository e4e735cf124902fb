"""A short name for a network's weights, by which what was measured of them is found again."""

from __future__ import annotations

import hashlib
from typing import Any

import torch

SAMPLES = 1024
"""Numbers that are read of each tensor, at even steps: all of a large model would take a minute."""


def fingerprint(network: Any) -> str:
    """A hash of a network's parameters: their names, shapes, precision, and numbers at even steps through each.

    Args:
        network: a model of transformers, or any module.

    Returns:
        32 hexadecimal digits, the same wherever and however the network was loaded, as long as it computes in the same
        precision.

    >>> fingerprint(attnviz.load("bundled").network) == fingerprint(attnviz.load("bundled").network)
    True
    """
    digest = hashlib.blake2b(digest_size=16)
    with torch.no_grad():
        for name, parameter in sorted(network.named_parameters()):
            flat = parameter.detach().reshape(-1)
            step = max(1, flat.numel() // SAMPLES)
            digest.update(f"{name} {tuple(parameter.shape)} {parameter.dtype}".encode())
            digest.update(flat[::step].float().cpu().numpy().tobytes())
    return digest.hexdigest()
