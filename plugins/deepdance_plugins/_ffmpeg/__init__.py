"""What the components that use ffmpeg share."""
