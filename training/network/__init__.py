"""The network of the bundled model, and the loop that trains it."""
