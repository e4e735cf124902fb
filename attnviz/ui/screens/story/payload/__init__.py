"""The numbers that the scenes of the story show."""
