"""`sidegate sidecar`: a service's folder -> control plane and companion for one pod."""

from __future__ import annotations

import argparse

from xds.address import Address, where
from xds.http.probes import probe
from xds.roles import options as roles


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    roles.sources(parser)
    roles.flag(parser, "--service", "the service in this pod (default: the only one in DIR)")
    roles.flag(parser, "--listen", "where Envoy listens", "0.0.0.0:8080", Address.parse, "HOST:PORT")
    roles.flag(parser, "--upstream", "where the app listens, whatever the settings say", metavar="URL")
    roles.flag(parser, "--env", "layer sidegate.NAME.yaml over sidegate.yaml", metavar="NAME")
    roles.node(parser)
    roles.run_folder(parser)
    roles.state(parser)
    roles.flag(parser, "--xds", "where Envoy asks (default: RUN/xds.sock)", type=where, metavar="PLACE")
    roles.flag(parser, "--management", "/live, /ready and /metrics", "0.0.0.0:9180", Address.parse, "HOST:PORT")
    roles.probes(parser, probe)
    roles.flag(parser, "--grace", "seconds that it goes on after SIGTERM while a proxy is connected", 30.0, float, "S")


def run(options: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT, and then until no proxy needs it any more. Returns the exit code."""
    from xds.roles.running import run
    from xds.roles.sidecar import Sidecar

    return run(Sidecar(options).run)
