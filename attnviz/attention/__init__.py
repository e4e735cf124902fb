"""The mechanism itself as functions of tensors, and the map of one head: no model is needed here."""
