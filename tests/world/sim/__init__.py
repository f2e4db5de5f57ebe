"""A simulated world below the sockets: its own time, its own packets, and a truth that is computed from it alone."""
