"""Evidence to judgement: pure functions, no clocks, no files, no network."""
