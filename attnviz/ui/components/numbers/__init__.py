"""Components that show numbers in tables and bars."""
