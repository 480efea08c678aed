"""Why the bench could not measure, as one line for the user."""


class BenchError(Exception):
    """Something the figures rest on is missing or went wrong: no figure is better than a false one."""
