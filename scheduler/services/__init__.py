"""The use cases for people, the API and other code: one call, one transaction, an answer with what was done."""
