"""Sockets: the station that sends, taps and listens, and the ways to reach one."""
