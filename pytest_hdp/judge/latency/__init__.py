"""Latencies compared: differences with intervals, flows, what makes a measurement valid, the gate. No I/O."""
