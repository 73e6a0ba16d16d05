"""Many jobs of every policy under random faults, all from one seed: `make soak`."""
