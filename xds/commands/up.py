"""`sidegate up`: a project's folder, or one contract and its upstream -> the running gateway."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from xds.address import Address


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument(
        "path", nargs="?", type=Path, default=Path(), help="a project's folder (default: this one), or a contract"
    )
    parser.add_argument("--upstream", metavar="URL", help="where a single contract's service runs")
    parser.add_argument("--env", metavar="NAME", help="layer sidegate.NAME.yaml over sidegate.yaml")
    parser.add_argument(
        "--listen",
        type=Address.parse,
        default="127.0.0.1:8080",
        metavar="HOST:PORT",
        help="where sidegate.yaml has no `listeners` (default: 127.0.0.1:8080)",
    )
    parser.add_argument("--management", type=Address.parse, default="127.0.0.1:8081", metavar="HOST:PORT")


def run(options: argparse.Namespace) -> int:
    """Run the gateway until SIGINT or SIGTERM. Returns 0 then, 1 if nothing could be served."""
    from xds.terminal import palette
    from xds.up.console import progress
    from xds.up.project import ground

    progress("starting")
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    with ground(options.path, options.upstream, options.env) as where:
        from xds.up.supervisor import supervise

        return asyncio.run(supervise(where, options.listen, options.management, palette(sys.stdout)))
