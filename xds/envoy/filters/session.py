"""The filter that takes the cookies of a login off a request: by then the token is in `Authorization`, and that is enough.

oauth2 decrypts them in place, so that whatever is behind it would find the very tokens in `Cookie`.
"""

from __future__ import annotations

from betterproto2 import Message
from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua

from xds.envoy.filters import login
from xds.envoy.filters.http_filter import switched_on
from xds.envoy.routed import Routed
from xds.program.auth import PRELUDE
from xds.program.literal import literal

COOKIES = ("BearerToken", "CodeVerifier", "IdToken", "OauthExpires", "OauthHMAC", "OauthNonce", "RefreshToken")
"""Envoy's names for them (OAuth2Credentials.CookieNames); nonce and verifier have a suffix for each attempt."""

PROGRAM = f"""{PRELUDE}
local OURS = {literal(dict.fromkeys(COOKIES, "yes"))}
local function kept(line)
  local parts = {{}}
  for pair in string.gmatch(line, "[^;]+") do
    local text = string.match(pair, "^%s*(.-)%s*$")
    local name = string.match(text, "^([^=]*)")
    if not OURS[name] and not OURS[string.match(name, "^(.-)%.") or ""] then parts[#parts + 1] = text end
  end
  return table.concat(parts, "; ")
end
function envoy_on_request(handle)
  local headers = handle:headers()
  local line = headers:get("cookie")
  if not line then return end
  headers:remove("cookie")
  local done, rest = pcall(kept, line)
  if done and rest ~= "" then headers:add("cookie", rest) end
end
"""


def session() -> Lua:
    """The filter's configuration. If anything fails, no cookie at all goes on."""
    return Lua(default_source_code=DataSource(inline_string=PROGRAM), clear_route_cache=False, stat_prefix="session")


def per_route(routed: Routed) -> Message | None:
    """On behind every login."""
    return switched_on() if login.per_route(routed) is not None else None
