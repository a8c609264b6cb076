"""What a person, the API or other code asks for: one call, one transaction, an answer that says what was done."""
