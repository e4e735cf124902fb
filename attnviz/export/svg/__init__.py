"""A picture as vector graphics: where everything goes, and how it is drawn."""
