"""Translate: a text grows token by token."""
