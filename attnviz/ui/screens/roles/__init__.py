"""What heads do: roles of all heads of a model, measured over many texts, with examples."""
