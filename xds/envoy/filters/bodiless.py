"""The filter that tells which requests of HTTP/2 and HTTP/3 have no body, where the route wants to know.

Their headers do not say it, as those of HTTP/1.1 do; whether the stream ends with them is known to programs alone. One that has
found no body writes so into the header that routes look at, and the route is chosen anew. If it fails, nothing is written,
and the companion is asked.
"""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua

from xds.envoy.plain import BARE, PROTOCOL

PROGRAM = f"""\
local function tell(headers) headers:replace("{PROTOCOL}", "{BARE}") end

function envoy_on_request(handle)
  local headers = handle:headers()
  -- Where the stream has ended there are no chunks. Where it has not, the headers go on at once, the program only with what
  -- comes next, and headers that have gone on cannot be written: the error is no news.
  for _ in handle:bodyChunks() do return end
  pcall(tell, headers)
end
"""


def bodiless() -> Lua:
    """The filter's configuration."""
    return Lua(default_source_code=DataSource(inline_string=PROGRAM), clear_route_cache=True, stat_prefix="bodiless")
