"""`sidegate companion`: flags and environment -> the companion, by its own command."""

from __future__ import annotations

import argparse
from pathlib import Path

from xds.address import Address, where
from xds.http.probes import probe
from xds.roles import options as roles


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    help_ = "contracts and policies (default: with --xds, what the control plane has of the service)"
    parser.add_argument("dir", nargs="?", type=Path, default=roles.given("SOURCES"), metavar="DIR", help=help_)
    roles.flag(parser, "--service", "the service beside it, or `edge` for the gateway in front of all", "edge")
    roles.node(parser)
    roles.run_folder(parser)
    roles.state(parser)
    roles.flag(parser, "--env", "layer sidegate.NAME.yaml over sidegate.yaml", metavar="NAME")
    roles.flag(parser, "--listen", "where Envoy asks (default: RUN/companion.sock)", type=where, metavar="PLACE")
    roles.flag(parser, "--api", "health, digests, validate (default: RUN/companion-api.sock)", type=where)
    roles.flag(parser, "--xds", "the shared control plane, HOST:PORT of each replica: told what is held")
    roles.xds_tls(parser)
    roles.flag(parser, "--report", "the management API of a control plane beside it, told instead", metavar="URL")
    roles.flag(parser, "--upstream", "where the app listens; not with --xds, which the proxy tells", metavar="URL")
    roles.flag(parser, "--management", "/live, /ready and /metrics", type=Address.parse, metavar="HOST:PORT")
    roles.probes(parser, probe)
    roles.flag(parser, "--grace", "seconds that it goes on after SIGTERM while a proxy is connected", 30.0, float, "S")


def run(options: argparse.Namespace) -> int:
    """Become the companion."""
    from xds.roles.companion import become

    become(options)
    return 0
