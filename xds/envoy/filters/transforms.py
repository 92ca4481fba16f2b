"""Operation -> header_mutation: headers that its owner has changed, behind everything that judges.

The filter changes no route that was chosen, and what the contract and the policy saw was the request as it came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.core.v3 import (
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
)
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    HeaderMutationPerRoute,
    Mutations,
)

from xds import headers
from xds.envoy.filters import trace
from xds.envoy.routed import Routed
from xds.envoy.typed import set_header
from xds.model import Operation
from xds.native.transforms import PLACEHOLDER, Changes


def transforms() -> HeaderMutation:
    """The filter's configuration: nothing but what routes say."""
    return HeaderMutation()


def per_route(routed: Routed) -> HeaderMutationPerRoute | None:
    """What is changed of one operation's headers."""
    changes = routed.operation.native.headers
    if changes is None:
        return None
    going = {
        **_words(routed.operation),
        "traceId": f"%REQ({headers.TRACE})%",
        "consumer": f"%REQ({headers.CONSUMER})%",
    }
    coming = {**_words(routed.operation), "traceId": trace.FORMAT}
    mutations = Mutations(
        request_mutations=list(_mutations(changes.request, going)),
        response_mutations=list(_mutations(changes.response, coming)),
    )
    return HeaderMutationPerRoute(mutations=mutations)


def _words(operation: Operation) -> dict[str, str]:
    return {"operationId": _literal(operation.name)}


def _mutations(changes: Changes, words: Mapping[str, str]) -> Iterator[Mutation]:
    for name in changes.remove:
        yield Mutation(remove=name)
    for name, value in changes.set:
        if PLACEHOLDER.search(value):  # one that comes out empty is not written: a client's own must not stay then
            yield Mutation(remove=name)
        yield set_header(name, formatted(value, words))
    for name, value in changes.add:
        action = HeaderValueOptionHeaderAppendAction.APPEND_IF_EXISTS_OR_ADD
        header = HeaderValue(key=name, value=formatted(value, words))
        yield Mutation(append=HeaderValueOption(header=header, append_action=action))


def formatted(text: str, words: Mapping[str, str]) -> str:
    """A text with placeholders as a format string of Envoy's (Envoy, access logging, "Format strings")."""
    pieces = PLACEHOLDER.split(text)
    return "".join(words[piece] if number % 2 else _literal(piece) for number, piece in enumerate(pieces))


def _literal(text: str) -> str:
    return text.replace("%", "%%")
