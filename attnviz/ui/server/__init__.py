"""What the server does beside drawing pages: it gets ready before anybody comes, and says how it is."""
