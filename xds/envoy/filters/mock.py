"""Operation -> lua: the contract's example, answered behind everything that judges, in the service's place.

A direct response of the route would do for less, but Envoy's CORS, shared limits and cache look away from routes of that
kind. With a filter the operation's route is the one it will have when the service is there.
"""

from __future__ import annotations

from collections.abc import Mapping

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua, LuaPerRoute

from xds.envoy.names import METADATA
from xds.envoy.routed import Routed
from xds.envoy.typed import struct
from xds.model import Operation
from xds.native.mocks import Mocked, mocked

PROGRAM = """\
function envoy_on_request(handle)
  local context = handle:filterContext()
  local headers = {[":status"] = context:get("status")}
  if context:get("type") then headers["content-type"] = context:get("type") end
  handle:respond(headers, context:get("body"))
end
"""

_KEY = "mock"
ANSWERED = f"response.code_details == 'lua_response' && '{_KEY}' in xds.route_metadata.filter_metadata['{METADATA}']"
"""In CEL: the reply is an example, and no document is to be written over it."""


def mock() -> Lua:
    """The filter's configuration."""
    return Lua(default_source_code=DataSource(inline_string=PROGRAM), clear_route_cache=False, stat_prefix="mock")


def per_route(routed: Routed) -> LuaPerRoute | None:
    """The example of one operation."""
    found = _of(routed.operation)
    if found is None:
        return None
    answer = {"status": str(found.status), "body": found.body or ""}
    if found.content is not None:
        answer["type"] = found.content.range
    return LuaPerRoute(filter_context=struct(answer))


def metadata(operation: Operation) -> Mapping[str, bool]:
    """What the route says of it."""
    found = _of(operation)
    return {_KEY: True} if found is not None else {}


def _of(operation: Operation) -> Mocked | None:
    own = operation.native.mock
    found = mocked(own, operation.answers) if own is not None else None
    return found if isinstance(found, Mocked) else None
