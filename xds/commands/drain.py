"""`sidegate drain`: the proxy on this machine asks its clients to leave, and goes on serving (a pod's preStop)."""

from __future__ import annotations

import argparse

from xds.address import where
from xds.roles import options as roles


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    roles.run_folder(parser)
    roles.flag(parser, "--admin", "Envoy's admin interface (default: RUN/admin.sock)", type=where, metavar="PLACE")
    roles.flag(parser, "--wait", "seconds to wait until no request is under way", 0.0, float, "S")


def run(options: argparse.Namespace) -> int:
    """Begin the drain. Returns 0; raises CannotRun if no proxy answers."""
    from xds.roles.drain import drain

    return drain(options.admin or roles.in_run(options, "admin.sock"), options.wait, options.run)
