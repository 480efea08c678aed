"""The counts of a run, under way and past."""
