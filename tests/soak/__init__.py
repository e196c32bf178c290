"""Files that are broken on purpose, by seed: `make soak` reads thousands, `make test` some."""
