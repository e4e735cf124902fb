"""The stage of the story: the program that draws its scenes in the browser."""
