"""The dancer that the `demo` source draws: moves, skeleton, body, stage."""
