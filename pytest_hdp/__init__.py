"""pytest-hdp: what happens to a packet whose transport protocol nobody has heard of."""

__version__ = "0.1.0"
