"""The filter that makes one list of several `Cookie` lines, before anything reads them.

HTTP/2 and 3 divide cookies as they like, and Envoy joins those (RFC 9113, section 8.2.3). Several lines of HTTP/1 it leaves,
and whoever reads them gets them joined by commas: a key behind one would be part of another cookie. The Lua program is
entered only where there is a comma, so only where there may be several lines.
"""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.extensions.common.matching.v3 import ExtensionWithMatcher
from envoy_data_plane.envoy.extensions.filters.common.matcher.action.v3 import SkipFilter
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig
from envoy_data_plane.xds.type.matcher.v3 import (
    Matcher,
    MatcherMatcherList,
    MatcherMatcherListFieldMatcher,
    MatcherMatcherListPredicate,
    MatcherMatcherListPredicateSinglePredicate,
    MatcherOnMatch,
    StringMatcher,
)

from xds.envoy.codec import any_of
from xds.envoy.matcher import header_input
from xds.envoy.typed import typed
from xds.program.auth import PRELUDE

PROGRAM = f"""{PRELUDE}
local function joined(headers)
  local lines = {{}}
  for i = 1, headers:getNumValues("cookie") do lines[i] = headers:getAtIndex("cookie", i - 1) end
  return table.concat(lines, "; ")
end
function envoy_on_request(handle)
  local headers = handle:headers()
  local done, line = pcall(joined, headers)
  headers:remove("cookie")
  if done then headers:add("cookie", line) end
end
"""


def cookies() -> ExtensionWithMatcher:
    """The filter's configuration. If anything fails, no cookie at all goes on."""
    several = MatcherMatcherListPredicateSinglePredicate(
        input=header_input("cookie"), value_match=StringMatcher(contains=",")
    )
    one = MatcherMatcherListPredicate(not_matcher=MatcherMatcherListPredicate(single_predicate=several))
    skip = MatcherOnMatch(action=TypedExtensionConfig(name="skip", typed_config=any_of(SkipFilter())))
    rule = MatcherMatcherListFieldMatcher(predicate=one, on_match=skip)
    program = Lua(default_source_code=DataSource(inline_string=PROGRAM), clear_route_cache=False, stat_prefix="cookies")
    return ExtensionWithMatcher(
        xds_matcher=Matcher(matcher_list=MatcherMatcherList(matchers=[rule])),
        extension_config=typed("cookies", program),
    )
