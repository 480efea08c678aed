"""The streaming engine: LLM streams, each event timed, each attempt counted once."""
