"""The vectors of words and tokens: in the table, in every layer, and what tells positions apart."""
