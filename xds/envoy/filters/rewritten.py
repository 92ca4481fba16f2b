"""Operation -> lua: the path that calls are found by, where an upstream has a descriptor and the operation a rewrite.

The router rewrites paths last, behind the transcoder, which would look for a call at the path that the client asked for. The
program is one text for all; what an operation asks for is data.
"""

from __future__ import annotations

from functools import cache

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua, LuaPerRoute
from envoy_data_plane.google.protobuf import Any

from xds.envoy.codec import any_of, shared
from xds.envoy.filters.transcoder import transcoded
from xds.envoy.routed import Routed
from xds.envoy.typed import struct
from xds.model import Name, Operation
from xds.native.caching import cache_of
from xds.native.targets import VARIABLE

PROGRAM = """\
local function rewrite(handle)
  local context, headers = handle:filterContext(), handle:headers()
  local path, query = headers:get(":path"):match("^([^?]*)(.*)$")
  local segments, parts = {}, {}
  for segment in path:gmatch("/([^/]*)") do segments[#segments + 1] = segment end
  for number, part in ipairs(context:get("parts")) do
    parts[number] = number % 2 == 1 and part or segments[tonumber(part)]
  end
  local from = context:get("from")
  if from then parts[1] = "/" .. table.concat(segments, "/", tonumber(from)) end
  headers:replace(":path", table.concat(parts) .. query)
end

function envoy_on_request(handle)
  -- An error would let the request through to a path that nobody meant.
  if not pcall(rewrite, handle) then handle:respond({[":status"] = "500"}, "") end
end
"""
"""`parts` are texts, and between them the numbers of the segments that stand there; `from` the first segment that stays."""


def rewritten() -> Lua:
    """The filter's configuration. The route stays the one whose rules were applied."""
    return Lua(default_source_code=DataSource(inline_string=PROGRAM), clear_route_cache=False, stat_prefix="rewritten")


def per_route(routed: Routed) -> Any | None:
    """Of operations with a cache the path stays what is kept by: theirs is rewritten behind it."""
    if routed.operation.native.rewrite is None or cache_of(routed.operation):
        return None
    return of_service(routed)


def of_service(routed: Routed) -> Any | None:
    """What becomes of the path, wherever calls are made."""
    rewrite = routed.operation.native.rewrite
    if rewrite is None or not transcoded(routed) or not (rewrite.path or rewrite.strip):
        return None
    if rewrite.strip:
        return _config((), str(rewrite.strip.count("/") + 1))
    return _config(_parts(rewrite.path, routed.operation), "")


def _parts(template: str, operation: Operation) -> tuple[str, ...]:
    places: dict[str, str] = {}
    for number, segment in enumerate(operation.path.segments, 1):
        held = [part.name for part in segment.parts if isinstance(part, Name)]
        if len(held) == len(segment.parts) == 1:
            places[held[0]] = str(number)
    pieces = VARIABLE.split(template)
    return tuple(places[piece] if number % 2 else piece for number, piece in enumerate(pieces))


@cache
def _config(parts: tuple[str, ...], from_: str) -> Any:
    context = {"parts": list(parts), **({"from": from_} if from_ else {})}
    return shared(any_of(LuaPerRoute(filter_context=struct(context))))
