"""Plan and path in, evidence out: schedule, control traffic, rounds."""
