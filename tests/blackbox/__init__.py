"""The gateway judged from outside: raw sockets, real processes, and the same oracles after every case."""
