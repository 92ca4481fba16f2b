"""The `sidegate-companion` command: flags -> the running companion."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from xds.address import Address, where
from xds.http.probes import probe


def parser() -> argparse.ArgumentParser:
    """The command's flags."""
    made = argparse.ArgumentParser(
        prog="sidegate-companion",
        description="Judges requests by contract and policy when Envoy asks (HTTP ext_authz).",
    )
    help_ = "the project: contracts/, policies/, sidegate.yaml (default: this folder; with --xds what the control plane has)"
    made.add_argument("--dir", type=Path, help=help_)
    made.add_argument("--state", type=Path, help="a folder to keep the last good sources in (default: DIR/.sidegate)")
    made.add_argument("--env", metavar="NAME", help="the layer sidegate.NAME.yaml over sidegate.yaml")
    made.add_argument("--listen", type=where, default=Address("127.0.0.1", 8181), help="where Envoy asks")
    made.add_argument("--admin", type=where, default=Address("127.0.0.1", 8182), help="health, digests, validate")
    made.add_argument("--report", metavar="URL", help="the control plane's management API, told which digests are held")
    made.add_argument("--node", default="sidegate", help="the Envoy node this companion stands beside")
    made.add_argument("--service", default="", help="the service that node stands for (default: every one)")
    made.add_argument("--upstream", metavar="URL", help="where that service runs, whatever the settings say")
    made.add_argument("--breaking", choices=("allow",), help="whatever the settings say: contracts may break clients")
    made.add_argument("--xds", metavar="HOST:PORT", help="a shared control plane instead: all its replicas are told")
    made.add_argument("--xds-ca", type=Path, metavar="FILE", help="what its certificate is checked against")
    made.add_argument("--xds-cert", type=Path, metavar="FILE", help="this service's certificate")
    made.add_argument("--xds-key", type=Path, metavar="FILE", help="its private key")
    made.add_argument("--xds-name", metavar="NAME", default="", help="the name in the control plane's certificate")
    made.add_argument("--management", type=Address.parse, metavar="HOST:PORT", help="/live, /ready and /metrics")
    made.add_argument("--proxy", metavar="PATH", help="the socket of Envoy's admin interface, for /metrics")
    made.add_argument(
        "--probe", action="append", default=[], type=probe, metavar="PORT/PATH", help="a probe of the app"
    )
    made.add_argument("--grace", type=float, default=0.0, metavar="S", help="seconds to go on while Envoy is connected")
    made.add_argument("--workers", type=int, default=2, help="processes that evaluate policies")
    made.add_argument("--deadline", type=float, default=0.25, metavar="S", help="seconds a decision may take")
    return made


def main(argv: list[str] | None = None) -> int:
    """Run the companion until SIGTERM or SIGINT. Returns the exit code."""
    made = parser()
    options = made.parse_args(argv)
    files = (options.xds_ca, options.xds_cert, options.xds_key)
    if any(files) and not all(files):  # with some of them the line would be in the clear
        made.error("--xds-ca, --xds-cert and --xds-key go together")
    if options.dir is None and not options.xds:
        options.dir = Path()
    options.state = options.state or (options.dir or Path()) / ".sidegate"
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        import uvloop

        run = uvloop.run
    except ImportError:  # not on every system; the standard loop does the same, slower
        run = asyncio.run
    try:
        run(_run(options))
    except OSError as error:
        print(f"sidegate-companion: {error.strerror or error}", file=sys.stderr)
        return 3
    return 0


async def _run(options: argparse.Namespace) -> None:
    from sidecar.serve import Companion

    companion = Companion(options)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await companion.run(stop)
