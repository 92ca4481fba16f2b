"""SetUp -> Read: the project as it compiles now, and whether a control plane answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from xds.compile import Compilation, Compiler, lay_out
from xds.diagnostics import has_errors
from xds.doctor.finding import Finding, SetUp
from xds.failure import CannotRun
from xds.http.ask import get
from xds.project.offline import read_offline
from xds.settings.layers import OVER, override
from xds.source import Tree


@dataclass(frozen=True, slots=True)
class Read:
    """The project's compilation (None: it cannot be read), what is wrong with it, and what the management API says of
    readiness (None: it does not answer)."""

    compilation: Compilation | None
    findings: tuple[Finding, ...] = ()
    answers: Any = None


def read(setup: SetUp) -> Read:
    """Look at everything that several checks need. Never raises."""
    answers = get(f"{setup.management.url}/ready").json if setup.management else None
    if not isinstance(answers, dict) or "missing" not in answers:
        answers = None  # whatever else answers there
    if setup.root is None:
        return Read(None, (), answers)
    try:
        tree = _placed(read_offline(setup.root, setup.env), setup)
        if not lay_out(tree)[0] and not has_errors(tree.problems):
            what = f"{setup.root} has no contract: contracts/<service>/<version>.yaml"
            return Read(None, (Finding("sources-empty", what, f"sidegate init {setup.root} --service NAME"),), answers)
        compilation = Compiler().compile(tree)
    except CannotRun as error:
        what, _, fix = str(error).partition(" Next: ")
        return Read(None, (Finding("sources-missing", what.rstrip("."), fix),), answers)
    return Read(compilation, tuple(_findings(setup, compilation)), answers)


def _placed(tree: Tree, setup: SetUp) -> Tree:
    """The sources as a pod has them: the app is where the role's flag says."""
    over = override(setup.service, setup.upstream)
    return replace(tree, files=dict(sorted({**tree.files, OVER: json.dumps(over).encode()}.items()))) if over else tree


def _findings(setup: SetUp, compilation: Compilation) -> list[Finding]:
    errors = [d for d in compilation.diagnostics if d.is_error]
    if errors:
        first = errors[0]
        at = f"{first.span}: " if first.span else ""
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        return [Finding("sources-refused", f"{at}{first.message}{more}", f"sidegate check {setup.root}")]
    return []
