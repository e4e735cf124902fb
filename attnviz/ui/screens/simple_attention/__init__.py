"""By hand: the smallest attention on a table that the reader edits."""
