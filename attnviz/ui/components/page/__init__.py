"""Components that make a page: its frame, its folding controls, its hints, and when it is drawn."""
