"""`sidegate explain`: how an operation is guarded (from the files), or why a request was refused (from a running gateway)."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xds.address import Address, Where, where
from xds.failure import CannotRun, Misused

PATIENCE_S = 10.0
"""A control plane asks its companions first."""
_TRACE = re.compile(r"[0-9a-f]{32}")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.usage = "sidegate explain [-h] [options] (SERVICE VERSION OPERATION | TRACE_ID)"
    parser.add_argument("subject", nargs="+", help="service, version and operationId; or the trace id of a request")
    parser.add_argument("--dir", type=Path, default=Path(), help="the project's folder")
    parser.add_argument("--env", metavar="NAME", help="layer sidegate.NAME.yaml over sidegate.yaml")
    help_ = "of the running gateway: HOST:PORT, or unix:PATH; also a companion's own API"
    parser.add_argument("--management", default=Address("127.0.0.1", 8081), type=where, metavar="ADDRESS", help=help_)
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(options: argparse.Namespace) -> int:
    """Print the explanation. Returns 1 if there is no such operation or the gateway knows no such trace."""
    match options.subject:
        case [service, version, operation]:
            found = _operation(options.dir, options.env, service, version, operation)
        case [trace]:
            if not _TRACE.fullmatch(trace):
                raise Misused(f"'{trace}' is no trace id: 32 hexadecimal digits, `traceId` in a problem document")
            found = _trace(options.management, trace)
        case _:
            raise Misused("say SERVICE VERSION OPERATION, or TRACE_ID. Next: sidegate explain --help")
    if found is None:
        return 1
    if options.format == "json":
        print(json.dumps(found, indent=2))
    else:
        print(_reasons(found) if "verdict" in found else _text(found))
    return 0


def _operation(root: Path, env: str | None, service: str, version: str, operation: str) -> Mapping[str, Any] | None:
    from xds.compile import Compiler
    from xds.diagnostics import did_you_mean, has_errors
    from xds.explain import explain_operation
    from xds.project.offline import read_offline
    from xds.render import as_text

    tree = read_offline(root, env)
    compilation = Compiler().compile(tree)
    found = compilation.service(service)
    versions = {v.name: v for v in found.versions} if found else {}
    operations = {o.id: o for o in versions[version].operations} if version in versions else {}
    if operation in operations:
        bundle = compilation.bundles.get(service)
        edge = compilation.gateway.edge
        return explain_operation(versions[version], operations[operation], bundle, tree.files, edge.patches, edge.plans)
    if service in compilation.refused and has_errors(compilation.diagnostics):
        print(as_text(compilation.diagnostics, tree.texts), end="", file=sys.stderr)
    services = [s.name for s in compilation.gateway.services]
    for kind, name, known in (
        ("service", service, services),
        ("version", version, versions),
        ("operation", operation, operations),
    ):
        if name not in known:
            print(f"there is no {kind} '{name}'; {did_you_mean(name, known) or 'see sidegate check'}", file=sys.stderr)
            break
    return None


def _trace(management: Where, trace: str) -> Mapping[str, Any] | None:
    from xds.http.ask import get
    from xds.terminal import clean

    url = f"{management.url}/decisions/{trace}"
    got = get(url, PATIENCE_S)
    if got.status == 200 and isinstance(got.json, dict):
        return got.json
    if got.status == 404:
        said = got.json.get("detail") if isinstance(got.json, dict) else None
        print(f"the gateway at {management} remembers no request {trace}", file=sys.stderr)
        print(clean(said or "it keeps the last few thousand"), file=sys.stderr)
        return None
    if got.status:
        raise CannotRun(f"the gateway at {management} answered {got.status} to {url}")
    raise CannotRun(f"no gateway answers at {management}: {got.why}. Next: sidegate up, or --management")


def _reasons(found: Mapping[str, Any]) -> str:
    """Why a request was refused or allowed: the verdict, each cause with its source line, and what would pass."""
    from xds.terminal import clean

    lines = [f"{found['request']}: {found['verdict']}"]
    if found.get("operation"):
        held = f"digest {found.get('digest')}, policies {found.get('revision') or 'not asked'}"
        lines.append(f"  {found['operation']} ({held})")
    for cause in found["causes"]:
        lines.append(f"{cause['place'] or 'no place is known'}: {cause['what']}")
        if cause.get("source"):
            lines.append(f"   | {cause['source']}")
    for number, each in enumerate(found["pass"]):
        lines.append(f"{'what would pass: ' if number == 0 else '                 '}{each}")
    return "\n".join(clean(line) for line in lines)


def _text(found: Mapping[str, Any]) -> str:
    """A document as `name: value` lines; lists of objects as tables, nothing for what is empty."""
    from xds.terminal import clean, table

    lines: list[str] = []
    width = max((len(name) for name in found), default=0)
    for name, value in found.items():
        if value in (None, [], {}, ""):
            continue
        if isinstance(value, list) and all(isinstance(row, dict) for row in value):
            heads = tuple(dict.fromkeys(key for row in value for key in row))
            lines.append(f"{name}:")
            rows = [tuple(clean(_word(row.get(head))) for head in heads) for row in value]
            lines += table([tuple(head.upper() for head in heads), *rows])
        elif isinstance(value, dict):
            inner = ", ".join(f"{key} {_word(each)}" for key, each in value.items() if each not in (None, [], {}, ""))
            lines.append(f"{name + ':':<{width + 1}} {clean(inner)}")
        else:
            lines.append(f"{name + ':':<{width + 1}} {clean(_word(value))}")
    return "\n".join(lines)


def _word(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return json.dumps(value) if isinstance(value, dict) else str(value)
