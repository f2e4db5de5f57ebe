"""Evidence in, verdicts out, no I/O: evidence records, the ladder, statistics, expectations."""
