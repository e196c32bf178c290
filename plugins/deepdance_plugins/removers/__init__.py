"""Built-in removers, one a file."""
