"""Load engines: what sends requests and says what became of each."""
