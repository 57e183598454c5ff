"""The compiled decoder: frames in, checked rows out. Imports nothing of ours."""
