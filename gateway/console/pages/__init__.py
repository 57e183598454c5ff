"""A module for each page of the console, with its routes: what it shows, read from the stores, and what it does."""
