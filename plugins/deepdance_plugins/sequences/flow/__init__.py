"""`flow`: draws the next latent by conditional flow matching, so that a dance stays sharp and goes on."""
