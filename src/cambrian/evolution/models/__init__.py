"""Foundation models: the endpoint, what its answers mean, prices and the token budget."""
