"""`demo`: a dancer that the project draws itself: no download, no end, and the same for the same seed."""
