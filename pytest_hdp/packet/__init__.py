"""Bytes, no I/O: the HDP codec, tags, IP and ICMP parsing, the protocol registry, carriers, the scapy layer."""
