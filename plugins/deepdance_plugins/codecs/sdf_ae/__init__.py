"""`sdf-ae`: a variational autoencoder of signed distance fields, sharp by construction."""
