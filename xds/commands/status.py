"""`sidegate status`: a running control plane -> what its proxies hold."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from xds.address import where
from xds.roles import options as roles

if TYPE_CHECKING:
    from xds.status import Status
    from xds.terminal import Palette

COLOURS = {"synced": "green", "stale": "yellow", "rejected": "red"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    roles.run_folder(parser)
    roles.address(parser, where)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.epilog = "Exit codes: 0 all hold what is wanted, 1 some do not, 2 usage, 3 no control plane answers."


def run(options: argparse.Namespace) -> int:
    """Print every proxy and companion. Returns 1 if a proxy is behind or refused something; raises CannotRun."""
    import json
    from dataclasses import asdict

    from xds.status import status
    from xds.terminal import palette

    now = status(roles.management(options))
    if options.format == "json":
        print(json.dumps(asdict(now), indent=2))
    else:
        print(text(now, palette(sys.stdout)), end="")
    return 0 if now.well else 1


def text(now: Status, palette: Palette) -> str:
    """The status for a person: a line a proxy, what it refused below it, a line a companion."""
    lines = [] if now.clients else ["no proxy is connected"]
    for client in sorted(now.clients, key=lambda c: (c.service, c.node)):
        state = palette.paint(f"{client.state:<8}", COLOURS[client.state])
        lines.append(f"proxy      {client.service:<20} {client.node:<30} {state}".rstrip())
        for each in client.rejected:
            at = f"{each.place}: " if each.place else ""
            lines.append(f"             {at}{each.type}: {each.message}")
    for companion in sorted(now.companions, key=lambda c: (c.service, c.node)):
        behind = sorted(name for name, digest in now.wanted.items() if companion.digests.get(name, digest) != digest)
        said = "; ".join((*(f"behind on {name}" for name in behind), *companion.problems)) or "holds what is wanted"
        lines.append(f"companion  {companion.service:<20} {companion.node:<30} {said}")
    return "\n".join(lines) + "\n"
