"""What was sent over a path, and what of it was seen: probes, their copies, the errors about them. No I/O."""
