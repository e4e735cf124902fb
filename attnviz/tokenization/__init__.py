"""From text to tokens and back: readable labels, places in the text, words."""
