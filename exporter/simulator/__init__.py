"""A simulated router with its nodes: the wire of a real one, and faults on command."""
