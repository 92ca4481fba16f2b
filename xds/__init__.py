"""contract + policy -> ADS stream."""
