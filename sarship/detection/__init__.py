"""CFAR hits in one product, and how much of each pier's waters it shows."""
