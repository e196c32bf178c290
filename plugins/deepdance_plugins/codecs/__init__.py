"""Built-in codecs, one a file."""
