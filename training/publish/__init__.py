"""From a checkpoint to the folder that ships: weights, findings, model card."""
