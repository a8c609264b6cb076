"""Code of a user of the package: type checkers accept it, except the lines that are marked ``# wrong``."""
