"""Configuration files, secrets and where shipped files lie."""
