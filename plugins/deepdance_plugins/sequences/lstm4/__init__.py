"""`lstm4`: the paper's four LSTM layers."""
