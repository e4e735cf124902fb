"""A short name for a network's weights, by which what was measured of them is found again."""

from __future__ import annotations

import hashlib
from typing import Any

import torch

WHOLE = 1 << 29
"""Parameters up to which every one of them is read; of a larger network some of each tensor, for all take a minute."""
SAMPLES = 1 << 16


def fingerprint(network: Any) -> str:
    """A hash of a network's parameters: their names, shapes, precision and numbers.

    Args:
        network: a model of transformers, or any module.

    Returns:
        32 hexadecimal digits, the same wherever and however the network was loaded, as long as it computes in the same
        precision.

    >>> fingerprint(attnviz.load("bundled").network) == fingerprint(attnviz.load("bundled").network)
    True
    """
    digest = hashlib.blake2b(digest_size=16)
    whole = sum(parameter.numel() for parameter in network.parameters()) <= WHOLE
    with torch.no_grad():
        for name, parameter in sorted(network.named_parameters()):
            flat = parameter.detach().reshape(-1)
            step = 1 if whole else max(1, flat.numel() // SAMPLES)
            digest.update(f"{name} {tuple(parameter.shape)} {parameter.dtype}".encode())
            digest.update(flat[::step].float().cpu().contiguous().numpy().data.cast("B"))
    return digest.hexdigest()
