"""The page What if: what is changed in the attention, what the model says then, and both runs side by side."""
