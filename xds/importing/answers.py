"""Gateway responses -> `errors`; `minimum-compression-size` -> `compression`."""

from __future__ import annotations

import json
import re
from typing import Any

from xds.importing.export import Export, X
from xds.importing.keys import Keys, put
from xds.importing.part import Notes, Part

_TYPES = {
    "ACCESS_DENIED": ("403",),
    "BAD_REQUEST_BODY": ("400",),
    "BAD_REQUEST_PARAMETERS": ("400",),
    "EXPIRED_TOKEN": ("token-expired",),
    "INTEGRATION_FAILURE": ("502", "503"),
    "INTEGRATION_TIMEOUT": ("504",),
    "INVALID_API_KEY": ("credentials-missing", "credentials-invalid"),
    "QUOTA_EXCEEDED": ("429",),
    "REQUEST_TOO_LARGE": ("413",),
    "THROTTLED": ("429",),
    "UNAUTHORIZED": ("401",),
    "UNSUPPORTED_MEDIA_TYPE": ("415",),
    "DEFAULT_4XX": ("400", "401", "403", "411", "413", "415", "429"),
    "DEFAULT_5XX": ("500", "502", "503", "504"),
}
"""What AWS calls a refusal: its codes or statuses here. The most general come last."""

_WORDS = (
    ("$context.error.messageString", '"${detail}"'),
    ("$context.error.message", "${detail}"),
    ("$context.error.responseType", "${code}"),
    ("$context.error.validationErrorString", "${detail}"),
    ("$context.requestId", "${traceId}"),
    ("$context.extendedRequestId", "${traceId}"),
)


def errors(export: Export, keys: Keys, notes: Notes) -> None:
    """Set `errors` on the document."""
    responses = export.top.get(f"{X}gateway-responses")
    found: dict[str, Any] = {}
    notes.differs(
        responses or export.top,
        'a refusal\'s body is {"message": ...} in AWS, and a problem document (RFC 9457) here',
        'errors: {default: {body: {message: "${detail}"}, mediaType: application/json}} keeps the form',
    )
    for kind, part in responses.items():
        if kind not in _TYPES:
            notes.lost(
                part, f"the gateway response {kind} has no equivalent", "Sidegate answers with a problem document"
            )
            continue
        wording = _wording(kind, part, notes)
        for code in _TYPES[kind] if wording else ():
            if code not in found or not kind.startswith("DEFAULT"):
                found[code] = wording
    if found:
        put(keys, "errors", found, notes, responses, "gateway responses")


def _wording(kind: str, part: Part, notes: Notes) -> dict[str, Any] | None:
    for name, own in part.get("responseParameters").items():
        if ".header.access-control-" not in name.lower():
            notes.lost(own, f"the gateway response {kind} sets {name.rpartition('.')[2]}, which has no equivalent")
    if part.text("statusCode") and not kind.startswith("DEFAULT"):
        notes.differs(part.get("statusCode"), f"{kind}: a refusal keeps the status that HTTP has for it")
    templates = part.get("responseTemplates")
    for media, own in templates.items():
        body = _body(media, own.value if isinstance(own.value, str) else "")
        if body is None:
            notes.lost(
                own, f"the gateway response {kind}: its template has no equivalent", "write a body under `errors`"
            )
            continue
        return {"body": body, "mediaType": media}
    return None


def _body(media: str, template: str) -> Any:
    """A template as a body with placeholders; None if it holds more than words that are known here."""
    text = template
    for theirs, ours in _WORDS:
        text = text.replace(theirs, ours)
    if (
        not text.strip()
        or re.search(r"[#$](?!\{(?:detail|code|traceId)\})[A-Za-z{!]", text)
        or text.count("${traceId}") > 1
    ):
        return None
    if media != "application/json" and not media.endswith("+json"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return None


def compression(export: Export, keys: Keys, notes: Notes) -> None:
    """Set `compression` on the document."""
    part = export.top.get(f"{X}minimum-compression-size")
    size = part.number()
    if size is None or size < 0 or not put(keys, "compression", True, notes, part, "compression of answers"):
        return
    help_ = "`compression: true` on the operation, where no answer holds a secret beside what a client sent (BREACH)"
    message = (
        f"AWS compresses answers of {int(size)} bytes and more, here it is 1 KiB, and only where nobody has to sign in"
    )
    notes.differs(part, message, help_)
