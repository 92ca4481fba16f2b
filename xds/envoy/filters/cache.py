"""Cache -> the filters that keep answers: what they are kept by, Envoy's cache_v2, and what may be kept at all.

Envoy's filter knows host and path only, and keeps no answer with a `Vary`. So whatever else answers are told apart by, the
identity before all, is written into the path while the filter looks at it; the service never sees that. Of its stores one is
bounded, the one in files: in tmpfs it is one in memory.
"""

from __future__ import annotations

from functools import cache

from betterproto2 import Message
from envoy_data_plane.envoy.config.accesslog.v3 import AccessLogFilter
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.extensions.common.async_files.v3 import (
    AsyncFileManagerConfig,
    AsyncFileManagerConfigThreadPool,
)
from envoy_data_plane.envoy.extensions.filters.http.cache_v2.v3 import CacheV2Config
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    HeaderMutationPerRoute,
    Mutations,
)
from envoy_data_plane.envoy.extensions.filters.http.header_to_metadata.v3 import Config as HeaderToMetadata
from envoy_data_plane.envoy.extensions.filters.http.header_to_metadata.v3 import ConfigKeyValuePair, ConfigRule
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua, LuaPerRoute
from envoy_data_plane.envoy.extensions.http.cache_v2.file_system_http_cache.v3 import FileSystemHttpCacheV2Config
from envoy_data_plane.google.protobuf import Any

from xds import headers
from xds.envoy.codec import any_of, shared
from xds.envoy.credentials import spent
from xds.envoy.featured import featured
from xds.envoy.filters.companion import NAME, OPERATION
from xds.envoy.filters.hashed import HASH
from xds.envoy.filters.http_filter import switched_on
from xds.envoy.filters.jwt import CONTROL
from xds.envoy.hashing import STATE, carried
from xds.envoy.kept_answers import condition
from xds.envoy.kept_apart import Apart, apart
from xds.envoy.log_filters import EXT_AUTHZ, noted
from xds.envoy.names import tokens
from xds.envoy.profile import Profile
from xds.envoy.routed import Routed
from xds.envoy.typed import appended, set_header, struct
from xds.model import Gateway, Mode
from xds.model.requirement import mixed
from xds.native.caching import cache_of
from xds.native.matching import NONE, conditions_of
from xds.program.auth import sha256

# Not among the internal headers that routes take off: they must get as far as to the origin listener.
_HELD = f"{headers.PREFIX}held-"
PATH, AUTHORIZATION, FORWARDED = f"{_HELD}path", f"{_HELD}authorization", f"{_HELD}forwarded"
ASKED = f"{_HELD}asked"
"""`service/version/operationId` of the operation that was judged: what the origin listener knows its route by."""

OUTCOME = "%CEL(response.code_details == 'cache.response_from_cache_filter' ? 'hit' : 'miss')%"
"""What became of a request that came as far as the cache, as a format."""

_NAMESPACE, _CAME = "sidegate.cache", "came"
_CLAIM = f"{_HELD}claim"
_CONTROL, _VARY, _TTL = f"{_HELD}cache-control", f"{_HELD}vary", f"{_HELD}ttl"

_KEY = sha256() + (
    """\
local function escaped(text)
  return (text:gsub("[^A-Za-z0-9_.~-]", function(sign) return string.format("%%%02X", sign:byte()) end))
end

local function divide(handle)
  local headers, context = handle:headers(), handle:filterContext()
  local path = headers:get(":path")
  local digest = headers:get("DIGEST_HEADER"):match("^%x*")
  local parts = {path, path:find("?", 1, true) and "&~" or "?~", digest, "/" .. escaped(context:get("template"))}
  -- Whoever brings the service a credential that nothing here reads may be answered by it.
  local read = not (context:get("unread") and headers:get("AUTHORIZATION"))
  if read and context:get("identity") then
    local auth = handle:streamInfo():dynamicMetadata():get("sidegate.auth")
    local who = auth and auth.everybody or headers:get("IDENTITY_HEADER")
    -- Somebody whom nothing names but the address is not told apart from others there.
    read = who and who ~= "" and who:sub(1, 5) ~= "addr:"
    parts[#parts + 1] = read and "/" .. escaped(who)
  end
  if not read then
    headers:replace("authorization", "uncached")
    return
  end
  local hidden = context:get("hidden")
  for _, name in ipairs(context:get("vary")) do
    local value = headers:get(name)
    value = value and (hidden[name] and SHA256(value) or escaped(value))
    parts[#parts + 1] = "/" .. escaped(name) .. (value and "=" .. value or "")
  end
  headers:replace(":path", table.concat(parts))
end

function envoy_on_request(handle)
  -- An error would let the request through under a path that others share.
  if not pcall(divide, handle) then handle:respond({[":status"] = "500"}, "") end
end
""".replace("DIGEST_HEADER", headers.OPERATION)
    .replace("IDENTITY_HEADER", headers.IDENTITY)
    .replace("AUTHORIZATION", AUTHORIZATION)
)

RESTORE = f"""\
function envoy_on_request(handle)
  local headers = handle:headers()
  local path = headers:get("{PATH}")
  if not path then handle:respond({{[":status"] = "500"}}, "") return end
  headers:replace(":path", path)
  headers:remove("{PATH}")
  headers:remove("{ASKED}")
  headers:remove("{HASH}")
end

function envoy_on_response(handle)
  -- What may be kept goes on when it is whole. Of one that breaks off the cache keeps nothing, but fails the next request.
  if handle:headers():get("cache-control") ~= "no-store" then handle:body() end
end
"""


def held() -> HeaderMutation:
    """The filter before: what the cache filter must not see is put aside, and what it keeps is not what the client sees.

    The filter looks away from requests with `Authorization`, and writes its own address into `X-Forwarded-For`.
    """
    before = [
        set_header(headers.OPERATION, OPERATION),  # answers judged by another revision's rules are another's
        set_header(ASKED, NAME),
        set_header(PATH, "%REQ(:path)%"),
        set_header(FORWARDED, "%REQ(x-forwarded-for)%"),
        set_header(AUTHORIZATION, "%REQ(authorization)%"),
        Mutation(remove="authorization"),
        Mutation(remove="accept-encoding"),  # what is kept is for every client; the compressors are before
    ]
    after = [
        set_header("cache-control", f"%RESP({_CONTROL})%"),
        Mutation(remove=_CONTROL),
        appended("vary", f"%RESP({_VARY})%"),
        Mutation(remove=_VARY),
        Mutation(remove="x-envoy-upstream-service-time"),  # of the filter's own asking, which nothing suppresses
    ]
    return HeaderMutation(mutations=Mutations(request_mutations=before, response_mutations=after))


def code() -> HeaderToMetadata:
    """The filter that takes why a miss failed from where the way to the service said so, to where the companion says such. It
    notes, too, that a request came as far as the cache: the header is only written behind it."""
    came = ConfigKeyValuePair(metadata_namespace=_NAMESPACE, key=_CAME, value="cache")
    found = ConfigKeyValuePair(metadata_namespace=EXT_AUTHZ, key=headers.CODE)
    return HeaderToMetadata(
        request_rules=[ConfigRule(header=PATH, on_header_present=came, on_header_missing=came)],
        response_rules=[ConfigRule(header=headers.CODE, on_header_present=found, remove=True)],
    )


def counted() -> AccessLogFilter:
    """Requests that came as far as the cache."""
    return noted(_NAMESPACE, _CAME)


def turned_on(routed: Routed) -> Message | None:
    """What runs for operations with a cache: the cache itself, and what says why it had no answer."""
    return switched_on() if cache_of(routed.operation) else None


def restored() -> list[Mutation]:
    """What the way to the origin puts back. The path comes last, behind the choice of the route."""
    return [
        Mutation(remove="authorization"),
        set_header("authorization", f"%REQ({AUTHORIZATION})%"),
        Mutation(remove=AUTHORIZATION),
        set_header("x-forwarded-for", f"%REQ({FORWARDED})%"),
        Mutation(remove=FORWARDED),
        Mutation(remove="x-envoy-internal"),
    ]


def held_per_route(routed: Routed) -> Message | None:
    """The filters before run for operations with a cache."""
    if cache_of(routed.operation) is None:
        return None
    source = carried(routed)
    return _carrying(source) if source else switched_on()


@cache
def _carrying(source: str) -> Any:
    """What the endpoint is chosen by is no part of the request that the cache sends on. A claim may be any text; one that a
    header cannot hold is left out."""
    if source == "address":
        mutations = [set_header(HASH, "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%")]
    else:
        claim = f"request.headers['{_CLAIM}']"
        mutations = [
            set_header(_CLAIM, f"%FILTER_STATE({STATE}:PLAIN)%"),
            set_header(HASH, f"%CEL({claim}.matches(r'{CONTROL}') ? '' : {claim})%"),
            Mutation(remove=_CLAIM),
        ]
    return shared(any_of(HeaderMutationPerRoute(mutations=Mutations(request_mutations=mutations))))


def key() -> Lua:
    """The filter that writes what answers are told apart by into the path."""
    return Lua(default_source_code=DataSource(inline_string=_KEY), clear_route_cache=False, stat_prefix="cache_key")


def key_per_route(routed: Routed) -> Any | None:
    """What an operation's answers are told apart by beside host, path and query.

    A shared one that nothing tells apart needs nothing, unless another operation answers the same path to other requests
    (`match`, `version`), or a query that nobody judged could be another one's key.
    """
    own, operation = cache_of(routed.operation), routed.operation
    if own is None:
        return None
    told = apart(routed, own)
    unread = not spent(routed) and (mixed(operation) or not tokens(operation.security))
    queries = operation.query_open or operation.mode is not Mode.ENFORCE
    alone = conditions_of(operation.native) == NONE and not queries
    if own.shared and alone and not told and not unread:
        return None
    return _apart(operation.path.text, not own.shared, unread, told)


@cache
def _apart(template: str, identity: bool, unread: bool, told: Apart) -> Any:
    names = sorted({*told.sent, *told.written, *told.hidden})
    hidden = dict.fromkeys(told.hidden, True)
    context = {"template": template, "identity": identity, "unread": unread, "vary": names, "hidden": hidden}
    return shared(any_of(LuaPerRoute(filter_context=struct(context))))


def caches(gateway: Gateway) -> bool:
    """Whether any operation has a cache, or one had that requests may still be under way for."""
    return bool(gateway.former.cached) or any(map(cache_of, featured(gateway)))


def config(gateway: Gateway, profile: Profile) -> CacheV2Config:
    """Envoy's filter. A client's `Cache-Control: no-cache` would be a way past the cache to the service for everybody."""
    if not caches(gateway):
        return CacheV2Config(disabled=True)  # and no folder is made
    store = gateway.edge.cache
    files = FileSystemHttpCacheV2Config(
        manager_config=AsyncFileManagerConfig(thread_pool=AsyncFileManagerConfigThreadPool(thread_count=2)),
        cache_path=store.path or profile.cache,
        max_cache_size_bytes=store.size,
    )
    return CacheV2Config(typed_config=any_of(files), ignore_request_cache_control_header=True)


def rule(routed: Routed) -> Any | None:
    """For the origin listener: which answers of an operation may be kept, and for how long; all others are `no-store`."""
    own = cache_of(routed.operation)
    if own is None:
        return None
    sent = apart(routed, own).sent
    return _rule(condition(own.ttl, sent, routed.gateway.edge.cache.entry), own.shared, sent)


@cache
def _rule(kept: str, everybody: bool, vary: tuple[str, ...]) -> Any:
    """What the service said goes to the client beside, and is put back there by the filter before."""
    said = "response.headers['cache-control']"
    unsaid = "no-cache" if everybody else "private, no-cache"
    own = [appended(_VARY, ", ".join(vary).replace("%", "%%"))] if vary else []
    mutations = [
        set_header(_CONTROL, f"%CEL('cache-control' in response.headers ? {said} : '{unsaid}')%"),
        set_header(_VARY, "%CEL(response.headers['vary'])%"),
        *own,
        set_header(_TTL, f"%CEL({kept})%"),
        # Of an expression that fails nothing is written: then this stands.
        set_header("cache-control", "no-store"),
        set_header("cache-control", f"%RESP({_TTL})%"),
        Mutation(remove=_TTL),
        Mutation(remove="vary"),
    ]
    return shared(any_of(HeaderMutationPerRoute(mutations=Mutations(response_mutations=mutations))))


__all__ = [
    "ASKED", "OUTCOME", "RESTORE", "caches", "code", "config", "counted", "held", "held_per_route", "key", "key_per_route",
    "restored", "rule", "turned_on",
]  # fmt: skip
