"""Where a train died: ladders of TTLs, and the routers that answer."""
