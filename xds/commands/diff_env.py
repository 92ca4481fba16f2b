"""`sidegate diff-env`: environments -> what differs between them, in settings and in what Envoy gets."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from xds.failure import CannotRun

if TYPE_CHECKING:
    from xds.differences import Difference

MOST_PATHS = 8
"""Places within one resource that are listed; `--format json` has them all."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument("env", nargs="*", metavar="ENV", help="one is compared with sidegate.yaml alone; none: each is")
    parser.add_argument("--dir", type=Path, default=Path(), help="the project's folder")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.epilog = "Exit codes: 0 nothing differs, 1 something does, 2 usage, 3 could not run."


def run(options: argparse.Namespace) -> int:
    """Print what differs; diagnostics of what does not compile go to standard error. Returns 1 if anything differs."""
    from xds.differences import difference
    from xds.render import as_text
    from xds.terminal import palette

    found = [difference(options.dir, *pair) for pair in _pairs(options)]
    for each in found:
        if each.said:
            print(as_text(each.said, each.files or {}, palette(sys.stderr)), end="", file=sys.stderr)
    if options.format == "json":
        print(json.dumps([each.plain for each in found], indent=2))
    else:
        print("\n\n".join("\n".join(_lines(each)) for each in found))
    return 1 if any(found) else 0


def _pairs(options: argparse.Namespace) -> list[tuple[str | None, str | None]]:
    from xds.differences import layers_of
    from xds.failure import Misused

    match options.env:
        case []:
            if not (known := layers_of(options.dir)):
                raise CannotRun(
                    f"{options.dir} has no sidegate.NAME.yaml. Next: write one, with what is different there"
                )
            return [(None, env) for env in known]
        case [env]:
            return [(None, env)]
        case [a, b]:
            return [(a, b)]
    raise Misused("two environments can be compared. Next: sidegate diff-env A B")


def _lines(found: Difference) -> Iterator[str]:
    from xds.terminal import clean

    yield f"{found.a} -> {found.b}: " + ("" if found else "nothing differs")
    if found.settings:
        yield "settings:"
    for setting in found.settings:
        yield clean(
            f"  {setting.pointer or '/'}: {_word(setting.a)} -> {_word(setting.b)}  ({', '.join(setting.places)})"
        )
    if found.said:
        yield "resources: not known, since one of them does not compile"
    elif found.resources:
        yield "resources:"
    for resource in found.resources:
        yield clean(f"  {resource.type} {resource.name}: {resource.change}")
        yield from (clean(f"    {path}") for path in resource.paths[:MOST_PATHS])
        if (more := len(resource.paths) - MOST_PATHS) > 0:
            yield f"    ... and {more} more"


def _word(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
