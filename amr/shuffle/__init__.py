"""Brings the values of a key together: partitions, sorted runs, and their merge. No Redis here."""
