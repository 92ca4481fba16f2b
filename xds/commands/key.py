"""`sidegate key`: a consumer's key, printed once, its hash kept in the file that sidegate.yaml names."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xds.failure import CannotRun, Misused


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, summary in (
        ("new", "make a key for a consumer and print it, once; its hash is kept"),
        ("list", "print the consumers and the first digits of their keys' hashes"),
        ("revoke", "forget all keys of a consumer, or the one whose hash starts with --hash"),
    ):
        sub = verbs.add_parser(action, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if action != "list":
            sub.add_argument("consumer", help="up to 64 letters, digits and . _ @ + -")
        sub.add_argument("--dir", type=Path, default=Path(), help="the project's folder")
        sub.add_argument(
            "--scheme", metavar="NAME", help="of sidegate.yaml's `security`; may be left out if it is the only one"
        )
        if action == "new":
            sub.add_argument(
                "--basic",
                action="store_true",
                help="a user of HTTP basic, with a password that is made; may be left out if contracts say it",
            )
            sub.add_argument(
                "--plan", metavar="NAME", default="", help="of sidegate.yaml's `plans`: the consumer's limits"
            )
        if action == "revoke":
            sub.add_argument("--hash", metavar="DIGITS", default="", help="as `list` prints it")


def run(options: argparse.Namespace) -> int:
    """Do it. Returns 1 if there is nothing to revoke."""
    from xds import keyfile
    from xds.settings.keys import CONSUMER

    name, path = _file(options.dir, options.scheme)
    if options.action == "list":
        for entry in keyfile.read(path):
            print(f"{entry.consumer:<24} {entry.sha256[:12]} {entry.created} {entry.plan}".rstrip())
        return 0
    if not CONSUMER.fullmatch(options.consumer):
        raise Misused(f"'{options.consumer}' cannot be a consumer: up to 64 letters, digits and . _ @ + -")
    if options.action == "new":
        _known(options.dir, options.plan)
        basic = _basic(options.dir, name, options.basic)
        secret = keyfile.add(path, options.consumer, basic=basic, plan=options.plan)
        print(f"The key of {options.consumer} for {name}. It is shown once; {path} holds its hash.", file=sys.stderr)
        print(secret)
        return 0
    gone = keyfile.revoke(path, options.consumer, options.hash)
    print(f"{gone} revoked", file=sys.stderr)
    return 0 if gone else 1


def _file(root: Path, wanted: str | None) -> tuple[str, Path]:
    """The scheme and its key file. Raises CannotRun, Misused."""
    from xds.diagnostics import did_you_mean

    schemes = _schemes(root)
    if wanted is None and len(schemes) == 1:
        wanted = next(iter(schemes))
    if wanted is None:
        known = f": {', '.join(sorted(schemes))}" if schemes else ""
        raise Misused(f"say which scheme with --scheme; sidegate.yaml has {len(schemes)} with `keys`{known}")
    if wanted not in schemes:
        near = did_you_mean(wanted, schemes) or "security: {NAME: {keys: {file: keys/consumers.yaml}}} in sidegate.yaml"
        raise Misused(f"no scheme '{wanted}' has `keys: {{file: ...}}`. Next: {near}")
    path = (root / schemes[wanted]).resolve()
    if not path.is_relative_to(root.resolve()):
        raise CannotRun(f"{schemes[wanted]} is outside the project")
    return wanted, path


def _basic(root: Path, name: str, wanted: bool) -> bool:
    """Whether it is a password that is made: what the contracts say of the scheme, else what is asked for. Raises Misused."""
    kinds = {each["type"] == "http" for each in _declared(root, name) if each.get("type") in ("apiKey", "http")}
    if kinds == {False} and wanted:
        raise Misused(
            f"the contracts have `{name}` as an API key, which no user of HTTP basic brings. Next: no --basic"
        )
    return kinds == {True} or wanted


def _declared(root: Path, name: str) -> Iterator[Mapping[str, Any]]:
    """The contracts' declarations of a scheme; what cannot be read is passed over, as `check` says it."""
    from xds.source import load

    for file in sorted((root / "contracts").rglob("*")):
        if file.suffix in (".yaml", ".yml", ".json") and file.is_file():
            try:
                found, _ = load(file.name, file.read_bytes())
            except OSError:
                continue
            value: Any = found.value if found else None
            for key in ("components", "securitySchemes", name):
                value = value.get(key) if isinstance(value, Mapping) else None
            if isinstance(value, Mapping):
                yield value


def _known(root: Path, plan: str) -> None:
    """Raises Misused if the settings have no such plan."""
    from xds.diagnostics import did_you_mean

    section = _settings(root).get("plans")
    plans = tuple(map(str, section)) if isinstance(section, dict) else ()
    if plan and plan not in plans:
        near = did_you_mean(plan, plans) or f"plans: {{{plan}: {{rateLimits: [...]}}}} in sidegate.yaml"
        raise Misused(f"there is no plan '{plan}'. Next: {near}")


def _schemes(root: Path) -> Mapping[str, str]:
    """Scheme -> file, of every scheme with keys."""
    security: Any = _settings(root).get("security")
    found = {}
    for name, scheme in security.items() if isinstance(security, dict) else ():
        keys = scheme.get("keys") if isinstance(scheme, dict) else None
        if isinstance(keys, dict) and isinstance(keys.get("file"), str):
            found[name] = keys["file"]
    return found


def _settings(root: Path) -> Mapping[str, Any]:
    """What sidegate.yaml says. Raises CannotRun."""
    from xds.source import load

    path = root / "sidegate.yaml"
    try:
        document, problems = load("sidegate.yaml", path.read_bytes())
    except OSError as error:
        raise CannotRun(f"{path} cannot be read: {(error.strerror or str(error)).lower()}. Next: say DIR") from error
    if document is None:
        raise CannotRun(f"{path} cannot be read: {problems[0].message}")
    return document.value if isinstance(document.value, dict) else {}
