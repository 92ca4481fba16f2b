"""`sidegate envoy`: flags and environment -> the real Envoy on its bootstrap, drained before it ends."""

from __future__ import annotations

import argparse

from xds.address import Address, where
from xds.roles import options as roles


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    roles.flag(parser, "--service", "the service beside it, or `edge` for the gateway in front of all", "edge")
    roles.node(parser)
    roles.run_folder(parser)
    roles.flag(parser, "--xds", "the control plane: unix:/path, or HOST:PORT of each replica (default: RUN/xds.sock)")
    roles.xds_tls(parser)
    roles.flag(parser, "--admin", "Envoy's admin interface (default: RUN/admin.sock)", type=where, metavar="PLACE")
    roles.flag(parser, "--ready", "where /ready and /metrics are answered", type=Address.parse, metavar="HOST:PORT")
    roles.flag(parser, "--listen", "where it listens, if not as the control plane says for all", type=Address.parse)
    roles.flag(parser, "--upstream", "the app beside it, if not where the settings say", metavar="URL")
    roles.flag(parser, "--companion", "where its companion is, if not as the control plane says", type=where)
    roles.flag(parser, "--drain", "seconds in which clients are asked to leave before it ends", 5.0, float, "S")
    roles.flag(parser, "--grace", "seconds that requests under way have then", 20.0, float, "S")
    roles.flag(parser, "--concurrency", "worker threads (default: the processors, at most 4)", type=int)


def run(options: argparse.Namespace) -> int:
    """Become Envoy's attendant."""
    from xds.roles.envoy import become

    become(options)
    return 0
