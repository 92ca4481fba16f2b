"""Snapshot -> ADS stream: protocol machines without I/O, and one file with a socket."""
