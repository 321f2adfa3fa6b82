"""Writes the files of a simulated SAFE product."""
