"""Emulated paths: topologies of network namespaces, and middleboxes whose truth is stated."""
