"""`sidegate inject`: manifests on stdin -> manifests with the sidecar in their pods, on stdout."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument(
        "--service", metavar="NAME", help="default: the label app.kubernetes.io/name, or the workload's name"
    )
    parser.add_argument(
        "--sources", type=Path, metavar="DIR", help="contracts, policies, settings: becomes a ConfigMap"
    )
    parser.add_argument(
        "--values", type=Path, metavar="FILE", help="a chart's values.yaml, or its block `sidegate` alone"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a value, as app.port=9001; wins over --values"
    )
    parser.epilog = (
        "Values are those of the chart sidegate-sidecar. Manifests that have the sidecar already get it anew. "
        'Left alone are pods with the annotation sidegate.io/inject: "false", and hooks of Helm. '
        "Exit codes: 0 written, 2 usage, 3 could not be done: nothing is written then."
    )


def run(options: argparse.Namespace) -> int:
    """Read, inject, write."""
    from xds.inject.manifests import Wanted, inject
    from xds.inject.sources import read_folder
    from xds.inject.values import complete

    values = complete(_given(options))
    files = read_folder(options.sources, values) if options.sources else {}
    sys.stdout.write(inject(sys.stdin.read(), Wanted(values, files)))
    return 0


def _given(options: argparse.Namespace) -> dict[str, Any]:
    from xds.inject.values import block, put

    given = dict(block(_read(options.values))) if options.values else {}
    for each in options.set:
        path, _, value = each.partition("=")
        put(given, path, _parse(value))
    if options.service:
        given["service"] = options.service
    return given


def _read(path: Path) -> object:
    try:
        return _parse(path.read_text()) or {}
    except OSError as error:
        from xds.failure import CannotRun

        raise CannotRun(f"{path} cannot be read: {error.strerror}") from error


def _parse(text: str) -> Any:
    import yaml

    from xds.failure import Misused

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Misused(f"no YAML: {error}") from error
