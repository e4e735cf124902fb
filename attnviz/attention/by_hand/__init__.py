"""The smallest self-attention, worked out on a table of word vectors that a reader edits."""
