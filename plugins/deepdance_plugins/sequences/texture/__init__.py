"""`texture`: video textures, real frames in a new order."""
