"""The table of replies -> the code of a request's problem document, as a format of the access log."""

from __future__ import annotations

from collections.abc import Sequence

from xds import headers
from xds.envoy.log_filters import EXT_AUTHZ
from xds.envoy.replies import ANY, REPLIES
from xds.native.errors import SERVICE


def _code() -> str:
    """The code of a request's problem document in CEL, from what the access log knows; nothing where the service answered."""
    companion = "metadata.filter_metadata['envoy.filters.http.ext_authz']"
    told = f"'envoy.filters.http.ext_authz' in metadata.filter_metadata && '{headers.CODE}' in {companion}"
    own = _by_status(sorted({reply.status for reply in REPLIES} - {ANY}))
    for reply in REPLIES:
        own = f"{reply.expression} ? '{reply.code}' : {own}" if reply.status == ANY else own
    answered = "response.code_details == 'via_upstream' || response.code < 400"
    replaced = "response.code_details == '' && response.code >= 500"  # what a filter said in the service's place
    absent = "metadata.filter_metadata['-']"  # a value that is not there is left out, null would be the text NULL
    return f"{told} ? {companion}['{headers.CODE}'] : {answered} ? {absent} : {replaced} ? '{SERVICE}' : {own}"


def _by_status(statuses: Sequence[int]) -> str:
    """The first row that holds. Halved, since CEL nests no deeper than 32, and has no way out of a chain but nesting."""
    if len(statuses) > 1:
        middle = len(statuses) // 2
        low, high = _by_status(statuses[:middle]), _by_status(statuses[middle:])
        return f"(response.code < {statuses[middle]} ? {low} : {high})"
    rows = [reply for reply in REPLIES if reply.status == statuses[0]]
    text = f"'{REPLIES[-1].code}'"
    for reply in reversed(rows):
        text = f"{reply.particular} ? '{reply.code}' : {text}" if reply.particular else f"'{reply.code}'"
    return f"(response.code == {statuses[0]} ? ({text}) : '{REPLIES[-1].code}')"


TOLD = f"%DYNAMIC_METADATA({EXT_AUTHZ}:{headers.CODE})%"
"""The code that the companion gave a request, also one that it let pass and would have refused."""

CODE = f"%CEL({_code()})%"
"""The code of a request's problem document, as a format of the access log."""
