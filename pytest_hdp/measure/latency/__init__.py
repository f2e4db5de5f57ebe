"""The latency experiment: sockets of each kind, timestamps, and what they are compared by."""
