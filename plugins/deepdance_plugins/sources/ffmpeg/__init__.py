"""`ffmpeg`: any video file, read through a pipe from ffmpeg."""
