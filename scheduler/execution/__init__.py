"""Running one task body anywhere, and recording what became of it."""
