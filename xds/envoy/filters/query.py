"""Operation -> lua: query parameters that its owner has changed, behind everything that judges.

Envoy's own `query_parameter_mutations` will not do: they unescape every parameter and escape none again, so that
`a=1%26admin=1`, judged as one parameter, reaches the upstream as two (seen on 1.40). This program leaves every part that
it does not take out as it came. It is one text for all; what an operation asks for is data.
"""

from __future__ import annotations

from urllib.parse import quote

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua, LuaPerRoute

from xds import headers
from xds.envoy.routed import Routed
from xds.envoy.typed import struct
from xds.native.transforms import PLACEHOLDER

TRACE = "<trace>"
"""Stands for the trace id among escaped texts, which hold no such sign."""

PROGRAM = f"""\
local function unescaped(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function change(handle)
  local context, headers = handle:filterContext(), handle:headers()
  local names = context:get("names")
  local path, mark, query = headers:get(":path"):match("^([^?]*)(%??)(.*)$")
  local parts = {{}}
  if query ~= "" then
    for part in (query .. "&"):gmatch("([^&]*)&") do
      if not names[unescaped(part:match("^[^=]*"))] then parts[#parts + 1] = part end
    end
  end
  local trace = headers:get("{headers.TRACE}") or ""
  for _, part in ipairs(context:get("parts")) do parts[#parts + 1] = (part:gsub("{TRACE}", trace)) end
  headers:replace(":path", #parts > 0 and path .. "?" .. table.concat(parts, "&") or path)
end

function envoy_on_request(handle)
  -- An error would let the request through as it was: what was to be taken out must not reach the upstream.
  if not pcall(change, handle) then handle:respond({{[":status"] = "500"}}, "") end
end
"""


def query() -> Lua:
    """The filter's configuration. The route stays the one whose rules were applied."""
    return Lua(default_source_code=DataSource(inline_string=PROGRAM), clear_route_cache=False, stat_prefix="query")


def per_route(routed: Routed) -> LuaPerRoute | None:
    """What is changed of one operation's query."""
    changes = routed.operation.native.query
    if changes is None:
        return None
    words = {"operationId": quote(routed.operation.name, safe=""), "traceId": TRACE}
    parts = [f"{quote(name, safe='')}={_escaped(value, words)}" for name, value in changes.set]
    names = dict.fromkeys((*changes.remove, *(name for name, _ in changes.set)), True)
    return LuaPerRoute(filter_context=struct({"names": names, "parts": parts}))


def _escaped(text: str, words: dict[str, str]) -> str:
    pieces = PLACEHOLDER.split(text)
    return "".join(words[piece] if number % 2 else quote(piece, safe="") for number, piece in enumerate(pieces))
