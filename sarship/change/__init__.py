"""Change detection: one date of a port against what the port looks like empty."""
