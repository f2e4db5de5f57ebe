"""What is expected of a train, by a profile or one's own last run, and how its verdict compares. No I/O."""
