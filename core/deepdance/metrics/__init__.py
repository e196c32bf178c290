"""Arrays in, figures out: what silhouettes, motion and latents are measured by. No run, no file."""
