"""OPA-Envoy's result document -> Decision."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xds.diagnostics import Span

DENIED = "policy-denied"
UNDEFINED = "policy-undefined"
TYPE = "policy-type"
CONFLICT = "policy-conflict"
ERROR = "policy-error"
TIMEOUT = "policy-timeout"
UNAVAILABLE = "policy-unavailable"
UNBOUND = "policy-unbound"

CODES: dict[str, str] = {
    DENIED: "The policy decided against the request.",
    UNDEFINED: "The policy decided nothing: no rule held, and there is no default.",
    TYPE: "The policy's result is neither a boolean nor OPA-Envoy's result object.",
    CONFLICT: "Two definitions of one rule gave different values.",
    ERROR: "The policy failed: a built-in refused its arguments, or the result asks for what a policy may not change.",
    TIMEOUT: "The policy took longer than a decision may take.",
    UNAVAILABLE: "No policy engine answered.",
    UNBOUND: "No policy is bound to the operation.",
}


ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "ABSENT", "__deepcopy__": lambda self, memo: self})()


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says of one request. Every `Decision` that is not `allowed` has a `code`, a row of `CODES`.

    `headers` go to the upstream if allowed, to the client if not; `response_headers` are added to the client's answer;
    `headers_to_remove` are taken from the upstream request; `body` and `http_status` (200 to 599) are the answer of a
    denial; `metadata` is OPA-Envoy's `dynamic_metadata`. `rule` is the place of the rule that decided, or that would have
    had to, where that is known. `revision` is the bundle's.
    """

    allowed: bool
    code: str | None = None
    reason: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    response_headers: Mapping[str, str] = field(default_factory=dict)
    headers_to_remove: tuple[str, ...] = ()
    body: str | None = None
    http_status: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    rule: Span | None = None
    revision: str = ""
    result: Any = field(default=ABSENT, compare=False, repr=False)
    """What the rule's value was, as the decision log has it; ABSENT if it had none."""


def denial(code: str, reason: str | None = None, revision: str = "", rule: Span | None = None) -> Decision:
    """A refusal that no policy worded."""
    return Decision(False, code, reason, rule=rule, revision=revision)


def decision_of(result: Any, revision: str = "", rule: Span | None = None) -> Decision:
    """The decision that a result document makes (https://www.openpolicyagent.org/docs/envoy, "Output").

    A boolean decides. An object decides by `allowed` and says the rest with `headers`, `response_headers_to_add`,
    `request_headers_to_remove`, `body`, `http_status`, `dynamic_metadata`; `reason`, a string, is ours. Other keys are
    ignored, as OPA-Envoy does. Anything else denies with `policy-type`; header changes that would break the message or
    speak for the proxy deny with `policy-error`.
    """
    return replace(_decision_of(result, revision, rule), result=result)


def _decision_of(result: Any, revision: str, rule: Span | None) -> Decision:
    if isinstance(result, bool):
        return Decision(result, None if result else DENIED, rule=rule, revision=revision)
    if not isinstance(result, Mapping) or not isinstance(result.get("allowed"), bool):
        return denial(TYPE, f"the result is {_kind(result)}", revision, rule)
    try:
        return _from_object(result, revision, rule)
    except _Mistyped as e:
        return denial(TYPE, str(e), revision, rule)
    except _Forbidden as e:
        return denial(ERROR, str(e), revision, rule)


class _Mistyped(Exception):
    """A member of the result has another type than OPA-Envoy gives it."""


class _Forbidden(Exception):
    """A member of the result asks for what a policy may not do."""


def _from_object(result: Mapping[str, Any], revision: str, rule: Span | None) -> Decision:
    allowed = result["allowed"]
    removed = _member(result, "request_headers_to_remove", list, [])
    for name in removed:
        _check_name(name)
    return Decision(
        allowed,
        None if allowed else DENIED,
        reason_of(result.get("reason")),
        _headers(_member(result, "headers", (dict, list), {})),
        _headers(_member(result, "response_headers_to_add", (dict, list), {})),
        tuple(name.lower() for name in removed),
        _member(result, "body", str, None),
        _status(result),
        _member(result, "dynamic_metadata", dict, {}),
        rule,
        revision,
    )


def _member(result: Mapping[str, Any], name: str, types: Any, default: Any) -> Any:
    value = result.get(name, default)
    if value is not default and not isinstance(value, types):
        raise _Mistyped(f"`{name}` is {_kind(value)}")
    return value


def _status(result: Mapping[str, Any]) -> int | None:
    value = result.get("http_status")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not float(value).is_integer():
        raise _Mistyped(f"`http_status` is {_kind(value)}")
    if not result["allowed"] and not 300 <= value <= 599:
        # Over HTTP ext_authz a 200 is the word for "forward it": a denial must never be answered with one.
        raise _Forbidden("`http_status` of a denial is none of 300 to 599")
    return int(value)


def _headers(value: Any) -> dict[str, str]:
    """Header names, lower case, with their values; OPA-Envoy takes an object or a list of objects, values alone or in lists."""
    found: dict[str, str] = {}
    for part in value if isinstance(value, list) else [value]:
        if not isinstance(part, dict):
            raise _Mistyped("a list of headers holds something else than objects")
        for name, values in part.items():
            _check_name(name)
            texts = values if isinstance(values, list) else [values]
            for text in texts:
                _check_value(name, text)
            found[name.lower()] = ", ".join([*([found[name.lower()]] if name.lower() in found else []), *texts])
    return found


_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OURS = ("x-envoy-", "x-sidegate-")
_FRAMING = frozenset(
    [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "proxy-connection",
        "expect",
    ]
)


def _check_name(name: Any) -> None:
    """RFC 9110, section 5.1; not a pseudo-header, not what frames or routes the message, not the proxy's own."""
    if not isinstance(name, str):
        raise _Mistyped("a header's name is no string")
    lower = name.lower()
    if not _NAME.fullmatch(name) or lower in _FRAMING or lower.startswith(_OURS):
        raise _Forbidden(f"a policy may not change the header {name[:80]!r}")


def _check_value(name: str, text: Any) -> None:
    if not isinstance(text, str):
        raise _Mistyped(f"the header {name!r} is no string")
    if not _VALUE.fullmatch(text):
        raise _Forbidden(f"the value of the header {name!r} holds characters that a header cannot carry")


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_MAX_REASON = 500


def reason_of(value: Any) -> str | None:
    """One line of text from what a policy gives as its reason: a string, or a list or object keys of strings, sorted."""
    if isinstance(value, Mapping):
        value = [key for key, held in value.items() if held is not False]
    if isinstance(value, Iterable) and not isinstance(value, str):
        value = "; ".join(sorted(v for v in value if isinstance(v, str)))
    if not isinstance(value, str) or not value.strip():
        return None
    return _CONTROL.sub(" ", value).strip()[:_MAX_REASON]


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object without a boolean `allowed`" if "allowed" not in value else "an object with another `allowed`"
    names = (
        (bool, "a boolean"),
        (str, "a string"),
        (int | float, "a number"),
        (list, "an array"),
        (type(None), "null"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "something else")
