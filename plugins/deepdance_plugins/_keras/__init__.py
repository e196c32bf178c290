"""What the components that are Keras networks share."""
