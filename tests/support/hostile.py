"""Text that a page may only ever show as text."""

from __future__ import annotations

HOSTILE = 'Über "Größe" & # % = 100 %\n学生 😀 \\ encoder.L0.H0 difference=B-A'
