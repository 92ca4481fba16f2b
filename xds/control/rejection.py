"""What a proxy refused, and the sources of that -> an event with the line that it comes from."""

from __future__ import annotations

from collections.abc import Iterator

from xds.ads.events import Nacked
from xds.compile import Compilation
from xds.control.events import Rejected
from xds.diagnostics import Diagnostic
from xds.model import Gateway
from xds.place import Place
from xds.source import Tree, span

_HELP = "the last good resources stay in force; this should have been refused when it was compiled: please report it"


def rejection(event: Nacked, compilation: Compilation, tree: Tree) -> Rejected:
    """A NACK as an event, with the line of what it says or names: an operation, else a patch, else a contract."""
    place = _operation(event.message, compilation.gateway) or next(_places(event, compilation.gateway), None)
    message = " ".join(event.message.split())
    diagnostic = Diagnostic("envoy-rejected", message, span(tree.files, place) if place else None, _HELP)
    return Rejected(event.node.id, event.type_url, event.version, tree.named(diagnostic))


def _operation(message: str, gateway: Gateway) -> Place | None:
    """The operation whose route a message names: of several whose names begin alike, the longest."""
    named = {
        f"{version.service}/{version.name}/{operation.id}": operation.place
        for service in gateway.services
        for version in service.versions
        for operation in version.operations
    }
    return named.get(max((name for name in named if name in message), key=len, default=""))


def _places(event: Nacked, gateway: Gateway) -> Iterator[Place]:
    """Where resources are said: patches that were merged into them, then the contracts of their versions."""
    kind = event.type_url.rpartition(".")[2].lower()
    for name in event.names:
        yield from (patch.place for patch in gateway.edge.patches if patch.touches(kind, name))
    for name in event.names:
        for version in (version for service in gateway.services for version in service.versions):
            if f"{name}/".startswith(f"{version.service}/{version.name}/"):
                yield version.place
