"""Facts of the `.mlet` format."""
