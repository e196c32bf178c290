"""Built-in loggers, one a file."""
