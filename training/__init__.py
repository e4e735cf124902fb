"""How the bundled model was made, from the corpus to the weights; see README.md beside this file."""
