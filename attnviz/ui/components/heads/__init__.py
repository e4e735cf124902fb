"""Components that show what heads attend to, and the words for what heads do."""
