"""Components that show why the model says a word, and why a word attends to another."""
