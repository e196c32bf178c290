"""`conv-ae`: the paper's convolutional autoencoder, layer for layer (Deep Dance; its published encoder and decoder)."""
