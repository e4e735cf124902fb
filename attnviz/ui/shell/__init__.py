"""What every page stands in: navigation, texts, errors, and what stays loaded between runs."""
