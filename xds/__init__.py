"""contract + policy -> ADS stream."""

__version__ = "0.1.0"
"""The distribution's version; a test holds it equal to pyproject.toml, since reading metadata costs every start 20 ms."""
