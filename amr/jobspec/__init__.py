"""What job.json says: its fields, their checks, and every mistake in it with its place."""
