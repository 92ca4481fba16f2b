"""A service's folder <-> one zip of it, byte for byte reproducible."""
