"""Built-in sources, one a file."""
