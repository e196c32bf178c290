"""What a run has learned, written for programs in which deepdance is not installed."""
