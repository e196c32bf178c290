"""`motion-field`: follows real movements from where the dancer stands, and changes over to others that lie near."""
