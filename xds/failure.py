"""CannotRun: why a command could not do its work, in words for whoever called it."""

from __future__ import annotations


class CannotRun(Exception):
    """A command cannot run at all (exit code 3). The text says why and names the next command."""


class Nothing(CannotRun):
    """There is nothing where a command looked."""


class Misused(CannotRun):
    """The words of a command make no sense together (exit code 2)."""
