"""Reading a corpus through a model and adding up what its heads do."""
