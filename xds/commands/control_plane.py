"""`sidegate control-plane`: sources -> the control plane that many proxies share."""

from __future__ import annotations

import argparse
from pathlib import Path

from xds.address import Address, where
from xds.roles import options as roles


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    roles.sources(parser)
    roles.flag(parser, "--xds", "where proxies and companions ask", "127.0.0.1:9902", where, "PLACE")
    roles.flag(parser, "--xds-cert", "its certificate (PEM), read anew when it changes", type=Path, metavar="FILE")
    roles.flag(parser, "--xds-key", "its private key", type=Path, metavar="FILE")
    roles.flag(parser, "--xds-client-ca", "authorities of the proxies' certificates", type=Path, metavar="FILE")
    roles.flag(parser, "--management", "/live and /ready", "0.0.0.0:9180", Address.parse, "HOST:PORT")
    roles.flag(parser, "--env", "layer sidegate.NAME.yaml over sidegate.yaml", metavar="NAME")
    roles.run_folder(parser)
    roles.state(parser)
    roles.flag(parser, "--listen", "where proxies listen that say nothing else", "0.0.0.0:8080", Address.parse)
    here = f"unix:{roles.RUN}/companion.sock"
    roles.flag(parser, "--companion", "where their companions are, if they say nothing else", here, where)
    roles.flag(parser, "--cache", "the folder for kept answers, on the proxies' machines", f"{roles.RUN}/cache")
    roles.switch(parser, "--kubernetes", "read labelled ConfigMaps of the cluster that this runs in, too")
    roles.flag(parser, "--namespaces", "of these namespaces only, comma-separated (default: all)", metavar="NS,NS")
    roles.flag(parser, "--own-namespace", "the namespace of the edge gateway and the rate limit service", metavar="NS")


def run(options: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code."""
    from xds.roles.control_plane import SharedControlPlane
    from xds.roles.running import run

    return run(SharedControlPlane(options).run)
