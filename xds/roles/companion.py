"""Options -> the companion's own command line; this process becomes it."""

from __future__ import annotations

import argparse
import os
import sys

from xds.failure import CannotRun
from xds.roles import told
from xds.roles.bootstrap import EDGE
from xds.roles.envoy import asked, credentials
from xds.roles.options import SOURCES, in_run


def become(options: argparse.Namespace) -> None:
    """Become the companion. Never returns; raises CannotRun or Misused."""
    words = command(options)
    try:
        for folder in (options.run, options.state):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if options.xds:
            flags = ("service", "xds", "xds_ca", "xds_cert", "xds_key", "xds_name")
            told.leave(options.run, "companion", **{name: getattr(options, name) for name in flags})
    except OSError as error:
        raise CannotRun(f"{error.filename} {(error.strerror or '').lower()}") from error
    os.umask(0o077)
    sys.stderr.flush()
    os.execv(words[0], words)


def command(options: argparse.Namespace) -> list[str]:
    """The companion's command line. Raises Misused where flags do not go together."""
    rows = {
        "--dir": options.dir or (None if options.xds else SOURCES),
        "--state": options.state,
        "--env": options.env,
        "--listen": options.listen or in_run(options, "companion.sock"),
        "--admin": options.api or in_run(options, "companion-api.sock"),
        "--node": options.node,
        "--service": "" if options.service == EDGE else options.service,
        "--management": options.management,
        "--proxy": in_run(options, "admin.sock").path,
        "--grace": options.grace,
        **_told(options),
    }
    words = [sys.executable, "-P", "-m", "sidecar"]
    for name, value in rows.items():
        words += [name, str(value)] if value not in (None, "") else []
    for each in options.probe:
        words += ["--probe", each]
    return words


def _told(options: argparse.Namespace) -> dict[str, object]:
    """Who is told what is held: the shared control plane, or one beside it."""
    if not options.xds:
        return {"--report": options.report or in_run(options, "management.sock").url, "--upstream": options.upstream}
    places = asked(options)
    files = credentials(options, places)
    if files is None:
        return {"--xds": options.xds}
    return {
        "--xds": options.xds,
        "--xds-ca": files.ca,
        "--xds-cert": files.certificate,
        "--xds-key": files.key,
        "--xds-name": files.name,
    }
