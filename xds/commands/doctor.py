"""`sidegate doctor`: a set-up -> what is wrong with it, and what to do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from xds.address import Address, where
from xds.handshake import EDGE
from xds.roles import options as roles
from xds.roles.told import left

if TYPE_CHECKING:
    from xds.doctor import SetUp

_SOURCES = f"the sources (default: {roles.SOURCES} if it is there, else the folder here; none with --xds)"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument("dir", nargs="?", type=Path, default=roles.given("SOURCES"), help=_SOURCES)
    roles.flag(parser, "--env", "layer sidegate.NAME.yaml over sidegate.yaml", metavar="NAME")
    roles.run_folder(parser)
    roles.address(parser, where)
    roles.flag(parser, "--listen", "where the gateway is to listen", type=Address.parse, metavar="HOST:PORT")
    roles.flag(parser, "--xds", "a shared control plane, HOST:PORT of each replica")
    roles.xds_tls(parser)
    roles.flag(parser, "--service", "the service whose pod this is", metavar="NAME")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.epilog = (
        "What is not said is as a role was told that runs in the folder --run. "
        "Exit codes: 0 nothing is wrong, 1 findings, 2 usage, 3 could not run."
    )


def run(options: argparse.Namespace) -> int:
    """Look at everything and print what is wrong, in order. Returns 1 if something keeps the gateway from serving."""
    import json
    from dataclasses import asdict

    from xds.doctor import diagnose
    from xds.terminal import palette

    setup = set_up(options)
    paint = palette(sys.stdout).paint
    plain = options.format == "text"
    found = diagnose(setup, lambda what, well: print(f"ok  {what}") if well and plain else None)
    if not plain:
        print(json.dumps([asdict(each) for each in found], indent=2))
    for each in found if plain else ():
        head = paint("mild" if each.mild else "bad", "yellow" if each.mild else "red")
        print(f"{head} [{each.code}] {each.what}\n    Next: {each.fix}")
    return 1 if any(not each.mild for each in found) else 0


def set_up(options: argparse.Namespace) -> SetUp:
    """What to look at: what was said, and else what the role beside was told."""
    from xds.doctor import SetUp
    from xds.roles.envoy import asked

    told = left(options.run)
    role, service = told.get("role"), options.service or told.get("service") or ""
    paths = (Path, "xds_ca"), (Path, "xds_cert"), (Path, "xds_key"), (str, "xds"), (str, "xds_name"), (str, "env")
    for make, name in paths:
        if getattr(options, name) is None and name in told:
            setattr(options, name, make(told[name]))
    return SetUp(
        sources(options, told),
        options.env,
        options.listen,
        options.address or roles.found(options),
        asked(options) if options.xds else (),
        options.xds_ca,
        options.xds_cert,
        options.xds_key,
        options.xds_name,
        "" if service == EDGE else service,
        told.get("upstream"),
        role == "control-plane",
        roles.in_run(options, "admin.sock") if role in ("sidecar", "companion") else None,
    )


def sources(options: argparse.Namespace, told: Mapping[str, str] = MappingProxyType({})) -> Path | None:
    """The folder of sources; None where a shared control plane has them. In a pod nobody is in a project's folder."""
    mounted = Path(roles.SOURCES)
    named: Path | None = options.dir
    if named is not None or options.xds:
        return named
    if told:
        return Path(told["sources"]) if "sources" in told else None
    if mounted.is_dir():
        return mounted
    return None if options.run.is_dir() and not Path("contracts").is_dir() else Path()
