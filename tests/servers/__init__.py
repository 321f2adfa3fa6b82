"""Servers on loopback that stand in for the providers."""
