"""The ways to say how much each token contributed to a prediction."""
