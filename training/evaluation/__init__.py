"""What a trained model is worth: translations, alignments, what its heads do."""
