"""Surveys: products in, results on disk, resumable."""
