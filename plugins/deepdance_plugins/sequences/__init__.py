"""Built-in sequences, one a file."""
