"""From a name to a model: the one that ships, a folder, or the Hugging Face Hub."""
