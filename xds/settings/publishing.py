"""`publish` -> whether a contract may break the clients of the one that is served."""

from __future__ import annotations

from typing import Any

from xds.settings.reader import Reader

REFUSE, ALLOW = "refuse", "allow"


def allowing() -> dict[str, Any]:
    """The settings that let everything out, as a layer over others."""
    return {"publish": {"breaking": ALLOW}}


def breaking_allowed(reader: Reader, value: Any) -> bool:
    """`publish: {breaking: allow}` lets changes go out that break clients; without it, and if it is wrong, none does."""
    if value is None:
        return False
    word = reader.mapping(value, "/publish", ("breaking",)).get("breaking", REFUSE)
    if word not in (REFUSE, ALLOW):
        message = "`publish.breaking` says what becomes of a contract that breaks the clients of the one that is served"
        reader.say("settings-invalid", message, "/publish/breaking", f"{REFUSE} (without it), or {ALLOW}")
    return bool(word == ALLOW)
