"""Items and documents in the database: their identity, whose turn it is, and what changed."""
