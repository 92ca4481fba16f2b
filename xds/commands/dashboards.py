"""`sidegate dashboards`: a project -> a Grafana dashboard and Prometheus' alert rules, as files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument("dir", nargs="?", type=Path, default=Path(), metavar="DIR", help="a project's folder")
    parser.add_argument("--env", metavar="NAME", help="layer sidegate.NAME.yaml over sidegate.yaml")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="default: DIR/dashboards")
    parser.epilog = "Exit codes: 0 written, 1 the project has errors, 2 usage, 3 could not run."


def run(options: argparse.Namespace) -> int:
    """Write the files and name them. Returns 1 if a service has errors: nothing is written then."""
    from xds.compile import Compiler
    from xds.dashboards import files
    from xds.diagnostics import has_errors
    from xds.failure import CannotRun
    from xds.project.offline import read_offline
    from xds.render import as_text
    from xds.terminal import palette

    tree = read_offline(options.dir, options.env)
    compilation = Compiler().compile(tree)
    if has_errors(compilation.diagnostics):
        print(as_text(compilation.diagnostics, tree.texts, palette(sys.stderr)), end="", file=sys.stderr)
        return 1
    for name, text in files(compilation.gateway).items():
        path = (options.out or options.dir / "dashboards") / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        except OSError as error:
            raise CannotRun(f"{path} cannot be written: {error.strerror}") from error
        print(path)
    return 0
