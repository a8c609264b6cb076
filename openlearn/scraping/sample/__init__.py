"""A small site of lessons, written for this project: what the quickstart scrapes where there is no internet."""
