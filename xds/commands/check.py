"""`sidegate check`: files -> diagnostics."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument(
        "path", nargs="*", type=Path, default=[Path()], help="a project's folder, contracts or policies"
    )
    parser.add_argument("--env", metavar="NAME", help="layer sidegate.NAME.yaml over sidegate.yaml")
    parser.add_argument("--format", choices=("text", "json", "sarif", "github"), default="text")
    parser.add_argument("--allow-warnings", action="store_true", help="exit with 0 if there is nothing worse")
    parser.epilog = "Exit codes: 0 clean, 1 findings (errors or warnings), 2 usage, 3 could not run."


def run(options: argparse.Namespace) -> int:
    """Print every diagnostic of the paths. Returns 1 if there are findings; notes alone are none."""
    from xds.diagnostics import Severity
    from xds.findings import findings
    from xds.render import FORMATS
    from xds.terminal import palette

    found = findings(options.path, options.env)
    print(FORMATS[options.format](found.diagnostics, found.files, palette(sys.stdout)), end="")
    weigh = {Severity.ERROR} if options.allow_warnings else {Severity.ERROR, Severity.WARNING}
    findings_count = sum(d.severity in weigh for d in found.diagnostics)
    if options.format == "text" and not found.diagnostics:
        print(f"nothing found in {found.operations} operations of {found.services} services")
    return 1 if findings_count else 0
