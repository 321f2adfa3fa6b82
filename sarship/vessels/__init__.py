"""Hits to vessels: grouped, boxed, split, measured, flagged."""
