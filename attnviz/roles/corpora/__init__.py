"""Texts to measure heads on: plain, parsed, or with their translations."""
