"""Which members become parents."""
