"""What only the page "How it works" has: one moving picture from a sentence to its meaning."""
