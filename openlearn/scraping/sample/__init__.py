"""A small site of lessons, written for this project. The quickstart scrapes it where the internet cannot be reached."""
