"""From one forward pass to a `Recording`, and what is read from it afterwards."""
