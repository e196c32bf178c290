"""`texture`: video textures, real moments in a new order."""
