"""Writes what a reduce task gives as a file of its own: JSON, JSON lines or CSV."""
