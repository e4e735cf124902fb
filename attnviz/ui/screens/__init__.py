"""What each page draws, a folder for each; none imports another."""
