"""A station at a far host: the agent there, the protocol between, and the client here."""
