"""Jobs: the rules for ids, names, policies and definitions, and the differences between two definitions."""
