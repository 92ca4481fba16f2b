"""`x-amazon-apigateway-integration` -> what answers an operation: a service, a mock, or nothing that can be asked here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.importing.export import Method
from xds.importing.keys import Keys, merge, put
from xds.importing.mapping import request_changes, response_changes
from xds.importing.mocks import mock_answer
from xds.importing.part import Notes, Part

_FUNCTION = re.compile(r":function:([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class Carried:
    """`uri` is what is asked, with stage variables, empty if nobody is; `names` maps its variables to the public path's.

    `keys` are those of `x-sidegate`; `answers` are responses of the contract that a mock needs, by status. `refused` says
    why the operation cannot be served, empty if it can.
    """

    uri: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    keys: Keys = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""


def carried(method: Method, notes: Notes) -> Carried:
    """What becomes of a method's integration; notes for whatever is lost."""
    part = method.integration
    kind = part.text("type").lower()
    if kind == "mock":
        return _mock(method, notes)
    if reason := _unservable(method, kind, notes):
        return Carried(refused=reason)
    keys: Keys = {}
    names = request_changes(method, keys, notes)
    response_changes(method, keys, notes)
    _timeout(method, keys, notes)
    _transport(method, notes)
    return Carried(part.text("uri"), names, keys)


def _mock(method: Method, notes: Notes) -> Carried:
    found = mock_answer(method, notes)
    if found is None:
        return Carried(refused="AWS answers it by a template")
    status, answer, headers = found
    keys: Keys = {}
    if not put(keys, "mock", {"status": status}, notes, method.integration, f"{method.where}: the mock"):
        return Carried(refused="AWS answers it without a service")
    if headers:
        merge(keys, {"headers": {"response": {"set": headers}}})
    return Carried(keys=keys, answers={str(status): answer})


def _unservable(method: Method, kind: str, notes: Notes) -> str:
    """Why nobody can be asked here, or an empty text."""
    part, where = method.integration, method.where
    uri = part.text("uri")
    if kind in ("aws", "aws_proxy"):
        function = _FUNCTION.search(uri)
        what = f"the Lambda function {function[1]}" if function else f"an AWS service ({_service(part)})"
        help_ = (
            "give the code an HTTP server (or its function URL), name it as `upstream`, and allow the operation in the policy"
            if function
            else "put a small HTTP service before it, name that as `upstream`, and allow the operation in the policy"
        )
        notes.refused(part, f"{where} asks {what}: it is refused until an HTTP service answers it", help_)
        return f"{what} answered it"
    if kind not in ("http", "http_proxy") or not re.match(r"https?://|\$\{stageVariables\.", uri):
        shown = f"its integration ({kind or 'none'}, {uri[:80] or 'no uri'})"
        if part.text("connectionType") == "VPC_LINK":
            shown = f"a VPC link ({uri[:80]})"
        notes.refused(
            part or method.part,
            f"{where} has no service that can be asked: {shown}; it is refused",
            "name what answers it as `upstream`, and allow the operation in the policy",
        )
        return "it has no HTTP service"
    for key, what in (("requestTemplates", "request"), ("httpMethod", "method")):
        found = part.get(key)
        if key == "requestTemplates" and found.members:
            notes.refused(
                found,
                f"{where} rewrites its body by a VTL template, which has no equivalent; it is refused",
                "let the service take the public form, then allow the operation in the policy",
            )
            return "its request was rewritten by a template"
        if key == "httpMethod" and part.text(key).upper() not in ("", "ANY", method.verb.upper()):
            notes.refused(
                found,
                f"{where} asks the service with {part.text(key)}: a method cannot be changed here; it is refused",
                "let the service take the public method, then allow the operation in the policy",
            )
            return f"its {what} was changed"
    return _response_templates(method, notes)


def _response_templates(method: Method, notes: Notes) -> str:
    """A template may leave something out of an answer: without it, that would get out."""
    for _, response in method.integration.get("responses").items():
        if (found := response.get("responseTemplates")) and any(found.members.values()):
            notes.refused(
                found,
                f"{method.where} rewrites its answer by a VTL template, which has no equivalent; it is refused",
                "let the service answer in the public form, then allow the operation in the policy",
            )
            return "its answer was rewritten by a template"
    return ""


def _service(part: Part) -> str:
    return part.text("integrationSubtype") or part.text("uri").removeprefix("arn:aws:apigateway:")[:60] or "no uri"


def _timeout(method: Method, keys: Keys, notes: Notes) -> None:
    part = method.integration.get("timeoutInMillis")
    value = part.number()
    if value is not None and value >= 1:
        put(keys, "timeout", f"{int(value)}ms", notes, part, f"{method.where}: the timeout")


def _transport(method: Method, notes: Notes) -> None:
    """How the service is reached."""
    part, where = method.integration, method.where
    if part.text("connectionType") == "VPC_LINK":
        help_ = "run the gateway where it reaches the address, and name that as `upstream`"
        notes.lost(part.get("connectionType"), f"{where} goes through a VPC link, which has no equivalent", help_)
    if part.get("credentials"):
        help_ = "the service must know the gateway otherwise: mutual TLS to the upstream, or a header of `headers.request.set`"
        notes.lost(part.get("credentials"), f"{where} signs requests as an IAM role, which has no equivalent", help_)
    if part.get("tlsConfig").get("insecureSkipVerification").value is True:
        help_ = "give the upstream the certificate authority of the service"
        notes.lost(part.get("tlsConfig"), f"{where} does not verify the service's certificate; Sidegate does", help_)
    elif name := part.text("tlsConfig", "serverNameToVerify"):
        notes.lost(part.get("tlsConfig"), f"{where} verifies the name {name}", "use the name in the `upstream` URL")
    if part.text("contentHandling"):
        notes.lost(part.get("contentHandling"), f"{where} converts bodies; here they pass as they are")
