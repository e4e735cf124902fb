"""Overview: every head of every layer in one picture."""
