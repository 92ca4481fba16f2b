"""`sidegate diff`: two forms of contracts -> the changes that break clients."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from xds.failure import Misused, Nothing

if TYPE_CHECKING:
    from xds.diagnostics import Diagnostic
    from xds.revisions.breaking import Comparison
    from xds.revisions.revision import Revision

_LEVELS = ("error", "warning", "none")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    what = "a contract, a project's folder or something in one, a git revision, or REVISION:PATH"
    parser.add_argument("old", nargs="?", help=f"{what}, which clients know")
    parser.add_argument("new", nargs="?", default=".", help=f"{what}, which they will meet (default: the folder here)")
    parser.add_argument(
        "--merge-base",
        nargs="?",
        const="",
        metavar="BRANCH",
        help="compare with the commit that BRANCH (default: the main one) and what is checked out have in common",
    )
    parser.add_argument(
        "--fail-on",
        action="append",
        metavar="WHAT",
        help="error (default), warning, none, or the id of a change; also several, apart by commas",
    )
    parser.add_argument("--format", choices=("text", "json", "sarif", "junit", "github"), default="text")
    parser.add_argument("--list", action="store_true", help="print the ids of all changes, and what they weigh")
    parser.epilog = "Exit codes: 0 clean, 1 findings, 2 usage, 3 could not run."


def run(options: argparse.Namespace) -> int:
    """Print every change. Returns 1 if one of them is to fail on."""
    from xds.contract.diff import CHANGES

    if options.list:
        return _listed(options.format)
    weighed = _weighed(options.fail_on or ["error"], CHANGES)
    from xds.render import FORMATS, as_junit
    from xds.revisions.breaking import compared
    from xds.revisions.revision import read_revision
    from xds.terminal import palette

    old = _old(options)
    if old is None:
        print("there is nothing to compare with yet", file=sys.stderr)
        return 0
    new = read_revision(options.new)
    found = compared(old, new, time.time())
    if options.format == "junit":
        text = as_junit(found.diagnostics, found.files, failing=lambda each: _fails(each, weighed))
    else:
        text = FORMATS[options.format](found.diagnostics, found.files, palette(sys.stdout))
    print(text, end="")
    if options.format == "text":
        print(_rest(found), end="")
    return 1 if any(_fails(d, weighed) for d in found.diagnostics) else 0


def _old(options: argparse.Namespace) -> Revision | None:
    """What to compare with; None if the branch has no contracts yet."""
    from xds.revisions.revision import merge_base, read_revision

    if options.merge_base is None:
        if options.old is None:
            raise Misused("say what to compare with. Next: sidegate diff main, or sidegate diff OLD NEW")
        return read_revision(options.old, options.new)
    if options.old is not None:
        options.new = options.old  # the only one that is left to be said
    commit = merge_base(options.merge_base, options.new)
    try:
        return read_revision(commit, options.new) if commit is not None else None
    except Nothing:
        return None


def _weighed(words: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    """What is failed on: severities and ids."""
    from xds.diagnostics import did_you_mean

    asked = {word.strip() for each in words for word in each.split(",") if word.strip()}
    for word in sorted(asked):
        if word not in _LEVELS and word not in known:
            raise Misused(f"'{word}' is no id of a change; {did_you_mean(word, known) or 'see sidegate diff --list'}")
    return frozenset(asked | ({"error"} if "warning" in asked else set()))


def _fails(found: Diagnostic, weighed: frozenset[str]) -> bool:
    from xds.diagnostics import Severity
    from xds.revisions.breaking import Breaking

    if found.is_error and not isinstance(found, Breaking):
        return True  # a contract that does not compile is compared with nothing
    return str(found.severity) in weighed or (found.code in weighed and found.severity is not Severity.NOTE)


def _rest(found: Comparison) -> str:
    lines = [f"new: {name}" for name in found.added]
    if not found.diagnostics:
        lines.append(f"nothing breaks clients in {found.operations} operations of {found.contracts} contracts")
    return "".join(line + "\n" for line in lines)


def _listed(format_: str) -> int:
    from xds.contract.diff import CHANGES

    if format_ == "json":
        rows = [{"id": i, "severity": str(row.severity), "meaning": row.meaning} for i, row in CHANGES.items()]
        print(json.dumps(rows, indent=2))
    else:
        width = max(map(len, CHANGES))
        print("\n".join(f"{i:<{width}}  {row.severity:<7}  {row.meaning}" for i, row in CHANGES.items()))
    return 0
