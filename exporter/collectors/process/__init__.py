"""The watched processes and their children."""
