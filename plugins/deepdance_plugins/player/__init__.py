"""The player: an endless dance in plain JavaScript, for any page, and what it needs of a run."""
