"""What the score between a query and a key is made of."""
