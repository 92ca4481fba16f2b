"""Tree -> which file is the contract of which version of which service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from posixpath import basename, splitext

from xds.diagnostics import Diagnostic, Span
from xds.handshake import RESERVED
from xds.source import Tree

Layout = Mapping[str, Mapping[str, str]]
"""service -> version -> root file."""

TESTS = "_test"
"""`<version>_test.yaml` holds the tests of a version, as `authz_test.rego` those of `authz.rego`; it decides nothing."""


def lay_out(tree: Tree) -> tuple[dict[str, dict[str, str]], list[Diagnostic]]:
    """The contracts' root files, by `contracts/<service>/<version>.yaml` or `<version>/openapi.yaml`.

    `<version>_test.yaml` beside them is none. Codes: `contract-misplaced`, `service-reserved`, `version-twice`."""
    layout: dict[str, dict[str, str]] = {}
    found: list[Diagnostic] = []
    for file in sorted(tree.files):
        if file.count("/") > 3:
            continue
        parts = file.split("/")
        if parts[0] != "contracts" or len(parts) > 4:
            continue
        stem, extension = splitext(basename(file))
        if len(parts) == 2 and extension in (".yaml", ".yml", ".json"):
            help_ = f"move it to contracts/<service>/{parts[1]}"
            found.append(
                Diagnostic("contract-misplaced", "a contract belongs in its service's folder", Span(file), help_)
            )
        if len(parts) < 3 or extension not in (".yaml", ".yml", ".json") or (len(parts) == 4 and stem != "openapi"):
            continue
        if len(parts) == 3 and stem.endswith(TESTS):
            continue
        service, version = parts[1], stem if len(parts) == 3 else parts[2]
        if service in RESERVED:
            message = f"no service can be called {service}"
            found.append(
                Diagnostic("service-reserved", message, Span(file), f"name the folder contracts/{service} otherwise")
            )
            continue
        if other := layout.setdefault(service, {}).get(version):
            message = f"version {version} of {service} is also written in {other}"
            found.append(Diagnostic("version-twice", message, Span(file), "keep one of the two"))
        layout[service][version] = file
    return layout, found


def of_everybody(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether one is about the rules for everybody."""
    return any(d.span and d.span.file.startswith("policies/platform/") for d in diagnostics)


def services_of(diagnostics: Iterable[Diagnostic]) -> set[str]:
    """The services whose folders hold the diagnostics' files."""
    paths = (d.span.file.split("/") for d in diagnostics if d.span)
    return {p[1] for p in paths if p[0] in ("contracts", "policies") and len(p) > 2}
