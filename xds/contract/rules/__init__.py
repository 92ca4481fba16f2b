"""Rules over a whole contract: each takes what has been read and adds findings."""
