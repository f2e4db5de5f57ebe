"""An open path: its two ends with their sockets, what is sent over it, and how a measurement waits there."""
