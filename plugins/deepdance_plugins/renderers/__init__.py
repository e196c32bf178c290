"""Built-in renderers, one a file."""
