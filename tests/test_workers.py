"""How many processes share the tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.workers import cores, memory_gigabytes, workers


@pytest.mark.parametrize(
    ("have", "gigabytes", "expected"), [(2, 24, 3), (8, 64, 8), (8, 16, 6), (64, 512, 8), (2, 4, 1)]
)
def test_there_is_a_core_for_each_but_one_and_memory_for_all(have: int, gigabytes: float, expected: int) -> None:
    assert workers(have, gigabytes) == expected


def test_a_container_has_what_it_was_given(tmp_path: Path) -> None:
    quota, limit = tmp_path / "cpu.max", tmp_path / "memory.max"
    all_cores, all_memory = cores(quota), memory_gigabytes(limit)  # there is no such file
    assert all_cores >= 1 and all_memory > 0
    quota.write_text("max 100000\n")
    limit.write_text("max\n")
    assert (cores(quota), memory_gigabytes(limit)) == (all_cores, all_memory)
    quota.write_text("50000 100000\n")
    limit.write_text(f"{1 << 29}\n")
    assert (cores(quota), memory_gigabytes(limit)) == (1, 0.5)
