"""Network namespaces of our own, kept by a process of our own."""
