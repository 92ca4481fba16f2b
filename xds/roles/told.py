"""What a role was told <-> a file in its folder of sockets: `sidegate doctor` beside it is started without its flags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = "role.json"


def leave(run: Path, role: str, **told: object) -> None:
    """Write what counts of a role's flags, those that were given. Raises OSError."""
    given = {name: str(value) for name, value in told.items() if value}
    (run / FILE).write_text(json.dumps({"role": role, **given}))


def left(run: Path) -> dict[str, Any]:
    """What a role wrote there: `role`, and its flags by their names; empty if none did."""
    try:
        found = json.loads((run / FILE).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
