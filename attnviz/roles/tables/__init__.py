"""What was measured of heads: the roles, the table of all heads, and where in the texts they show."""
