"""What components that are Keras networks share: the framework, the training loop and the scales of latents.

`backend`, `training` and `scaling` are for plugins too, and as stable as the interfaces. Import them where a component
is, never where it is listed: `backend` and `training` load Keras.
"""
