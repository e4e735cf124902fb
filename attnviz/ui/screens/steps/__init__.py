"""Step by step: the way of one word through a layer."""
