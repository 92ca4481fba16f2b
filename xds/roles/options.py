"""Flags, environment -> options: every flag of a role has a variable `SIDEGATE_<FLAG>`, and the flag wins."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xds.address import Address, UnixSocket, Where

PREFIX = "SIDEGATE_"
RUN = "/var/run/sidegate"
STATE = "/var/lib/sidegate"
SOURCES = "/etc/sidegate/sources"


def variable(flag: str) -> str:
    """The environment variable of a flag: `SIDEGATE_XDS_CA` of `--xds-ca`."""
    return PREFIX + flag.lstrip("-").replace("-", "_").upper()


def flag(
    parser: argparse.ArgumentParser,
    name: str,
    help: str,
    default: Any = None,
    type: Callable[[str], Any] = str,
    metavar: str | None = None,
) -> None:
    """Add a flag; what stands in its variable is its default, an empty variable is none."""
    parser.add_argument(name, default=os.environ.get(variable(name)) or default, type=type, metavar=metavar, help=help)


def sources(parser: argparse.ArgumentParser) -> None:
    """The folder of sources, as words or SIDEGATE_SOURCES."""
    default = os.environ.get(PREFIX + "SOURCES") or SOURCES
    parser.add_argument(
        "dir", nargs="?", type=Path, default=default, metavar="DIR", help=f"contracts and policies (default: {SOURCES})"
    )


def node(parser: argparse.ArgumentParser) -> None:
    flag(parser, "--node", "this pod's own name (default: the host's)", socket.gethostname())


def run_folder(parser: argparse.ArgumentParser) -> None:
    flag(parser, "--run", f"the folder of sockets (default: {RUN})", RUN, Path)


def xds_tls(parser: argparse.ArgumentParser) -> None:
    """The files with which a client of a shared control plane shows who it is."""
    flag(parser, "--xds-ca", "certificates that the control plane's is checked against", type=Path, metavar="FILE")
    flag(parser, "--xds-cert", "this service's certificate (PEM), read anew when it changes", type=Path, metavar="FILE")
    flag(parser, "--xds-key", "its private key", type=Path, metavar="FILE")
    flag(parser, "--xds-name", "the name in the control plane's certificate (default: the host of --xds)")


def in_run(options: argparse.Namespace, name: str) -> UnixSocket:
    """The socket of a name in the folder of sockets."""
    return UnixSocket(str(options.run.absolute() / name))


def state(parser: argparse.ArgumentParser) -> None:
    flag(parser, "--state", f"a folder for the last good sources (default: {STATE})", STATE, Path)


def probes(parser: argparse.ArgumentParser, read: Callable[[str], str]) -> None:
    """Those of the app: several flags, or words in SIDEGATE_PROBE."""
    given = [read(word) for word in os.environ.get(variable("--probe"), "").split()]
    help_ = "a probe of the app on loopback, answered as /probe/PORT/PATH; may be repeated"
    parser.add_argument("--probe", action="append", default=given, type=read, metavar="PORT/PATH", help=help_)


def switch(parser: argparse.ArgumentParser, name: str, help: str) -> None:
    """A flag without a value; its variable turns it on with anything but nothing, 0 and false."""
    given = os.environ.get(variable(name), "").lower() not in ("", "0", "false", "no")
    parser.add_argument(name, action="store_true", default=given, help=help)


def given(name: str) -> str | None:
    """What stands in a variable, None if nothing does."""
    return os.environ.get(PREFIX + name) or None


def address(parser: argparse.ArgumentParser, read: Callable[[str], Where]) -> None:
    help_ = (
        "a control plane's management API, HOST:PORT or a socket (default: RUN/management.sock, else 127.0.0.1:8081)"
    )
    flag(parser, "--address", help_, type=read, metavar="PLACE")


def found(options: argparse.Namespace) -> UnixSocket | None:
    """The socket of the management API in the folder of sockets, if one is there."""
    socket_ = in_run(options, "management.sock")
    return socket_ if os.path.exists(socket_.path) else None


def management(options: argparse.Namespace) -> Where:
    """Where to ask a control plane: as told, else the socket, else where `sidegate up` has it."""
    return options.address or found(options) or Address("127.0.0.1", 8081)
