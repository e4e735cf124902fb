"""The components of the page Long text: the map, the text beside it, the list of links."""
