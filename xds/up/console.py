"""Console: what a person sees while `sidegate up` runs, a flood of it counted rather than printed."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from xds.control.events import Event, Live, Refused
from xds.render import Files
from xds.terminal import Palette, clean
from xds.up.lines import line_of

MOST_PER_S = 100
"""Lines about single requests, and lines of child processes, that are printed in one second."""
_LOGGED = re.compile(rb"^(?:\[[^\]]*\])*\[?(?:INFO|DEBUG|TRACE|info|debug|trace)\b")


class Console:
    """Prints at once. `files` gives the project's files as they are now, `name` the user's names for them."""

    def __init__(self, palette: Palette, name: Callable[[str], str]) -> None:
        self.palette, self._name = palette, name
        self.files: Callable[[], Files] = dict
        self.quiet = True
        """Before the gateway is ready only what is wrong is printed."""
        self._second, self._printed, self._dropped = 0, 0, 0
        self._closed = False

    def say(self, text: str, *styles: str) -> None:
        """Print one text."""
        print(self.palette.paint(text, *styles), flush=True)

    def close(self) -> None:
        """From now on children say only that they are stopping: nobody needs that."""
        self._closed = True

    def on_event(self, event: Event) -> None:
        """Print an event of the control plane. The first `Live` is what the banner says, so it is not repeated."""
        if isinstance(event, Refused) and not self._room():
            return
        if isinstance(event, Live) and (event.first or self.quiet):
            return
        self.say(line_of(event, self.files(), self.palette, self._name))

    def output_of(self, name: str, log: Path | None) -> Callable[[bytes], None]:
        """A taker of a child's output lines: all go to `log`, those worth a person's attention to the console.

        Without a log every line is printed: it is a process of the project's own.
        """
        stream = log.open("wb", buffering=0) if log else None
        head = self.palette.paint(f"{name}: ", "dim")

        def take(line: bytes) -> None:
            if stream is not None:
                stream.write(line + b"\n")
            if self._closed or not line.strip() or (stream is not None and (self.quiet or _LOGGED.match(line))):
                return
            if self._room():
                print(head + clean(line.decode(errors="replace")), flush=True)

        return take

    def _room(self) -> bool:
        """Whether one more line fits into this second."""
        now = int(time.monotonic())
        if now != self._second:
            if self._dropped:
                self.say(f"... and {self._dropped} more lines", "dim")
            self._second, self._printed, self._dropped = now, 0, 0
        self._printed += 1
        self._dropped += self._printed > MOST_PER_S
        return self._printed <= MOST_PER_S


def progress(text: str) -> None:
    """Show on a terminal what is being waited for, in a line that the next one overwrites."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
