"""Whether contributions can be trusted: words removed, weights changed, methods compared."""
