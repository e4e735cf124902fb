"""What readers set: sentence, model, layer, what is shown; and how the address holds it."""
