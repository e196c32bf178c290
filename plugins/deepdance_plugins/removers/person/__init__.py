"""`person`: a person before any background."""
