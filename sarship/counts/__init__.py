"""Vessels to counts per pier and pass, and to visits."""
