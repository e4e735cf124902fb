"""What only the page "Long text" has: a head's whole map to zoom into, with the text beside it."""
