"""Login, Operation -> oauth2: a browser without a token is sent to log in, and comes back with one.

The token that it gets is put into `Authorization`, where jwt_authn verifies it as anybody's: a login is a way to a token, and
decides nothing. Who brings a token or asks for no page is never sent anywhere. Secrets come by SDS, cookies are encrypted.
"""

from __future__ import annotations

from functools import lru_cache

from betterproto2 import Message
from envoy_data_plane.envoy.config.core.v3 import HttpUri
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher
from envoy_data_plane.envoy.extensions.filters.http.oauth2.v3 import (
    CookieConfig,
    CookieConfigs,
    CookieConfigSameSite,
    OAuth2,
    OAuth2Config,
    OAuth2ConfigAuthType,
    OAuth2Credentials,
    OAuth2PerRoute,
)
from envoy_data_plane.envoy.type.matcher.v3 import PathMatcher, StringMatcher
from envoy_data_plane.google.protobuf import Any

from xds.envoy.codec import any_of, shared
from xds.envoy.names import login_cluster
from xds.envoy.routed import Routed
from xds.envoy.secrets import by_sds
from xds.envoy.typed import seconds
from xds.model import JwtScheme, Login, SchemeKind

TIMEOUT_S = 3


def login() -> OAuth2:
    """The filter's configuration: nothing, save where a route has one of its own."""
    return OAuth2()


def per_route(routed: Routed) -> Message | None:
    """The login of the operation's first scheme that has one, where it asks for credentials at all.

    Not beside client certificates, of which a request's headers tell nothing.
    """
    found = {s.name: s for s in routed.gateway.schemes if isinstance(s, JwtScheme) and s.login}
    if not found:
        return None
    credentials = [c for alternative in routed.operation.security for c in alternative.credentials]
    open = any(not alternative.credentials for alternative in routed.operation.security)
    if open or any(c.kind is SchemeKind.TLS for c in credentials):
        return None
    scheme = next((found[c.scheme] for c in credentials if c.scheme in found), None)
    keys = dict.fromkeys((c.place, c.name) for c in credentials if c.kind is SchemeKind.KEY)
    return of(scheme, tuple(keys)) if scheme else None


@lru_cache(maxsize=256)
def of(scheme: JwtScheme, keys: tuple[tuple[str, str], ...] = ()) -> Any:
    """The filter's configuration for one scheme. Who brings one of the `keys`, by place and name, is not looked at."""
    assert scheme.login is not None, "asked for schemes with a login only"
    return shared(any_of(OAuth2PerRoute(config=_config(scheme.name, scheme.login, keys))))


def _config(scheme: str, login: Login, keys: tuple[tuple[str, str], ...]) -> OAuth2Config:
    return OAuth2Config(
        token_endpoint=HttpUri(uri=login.token.url, cluster=login_cluster(scheme), timeout=seconds(TIMEOUT_S)),
        authorization_endpoint=login.authorize,
        credentials=OAuth2Credentials(
            client_id=login.client_id,
            token_secret=by_sds(login.secret),
            hmac_secret=by_sds(login.cookie_secret),
        ),
        redirect_uri=f"%REQ(x-forwarded-proto)%://%REQ(:authority)%{login.redirect}",
        redirect_path_matcher=_path(login.redirect),
        signout_path=_path(login.signout),
        forward_bearer_token=True,
        auth_scopes=list(login.scopes),
        auth_type=OAuth2ConfigAuthType.BASIC_AUTH,
        use_refresh_token=True,
        pass_through_matcher=[_brings("header", "authorization"), *(_brings(*key) for key in keys)],
        deny_redirect_matcher=[_no_page()],
        cookie_configs=_cookies(),
        stat_prefix="login",
    )


def _path(path: str) -> PathMatcher:
    return PathMatcher(path=StringMatcher(exact=path))


def _brings(place: str, name: str) -> HeaderMatcher:
    """Whether a credential seems to be there; those behind this filter see whether it is one."""
    if place == "header":
        return HeaderMatcher(name=name, present_match=True)
    where = ":path" if place == "query" else "cookie"
    return HeaderMatcher(name=where, string_match=StringMatcher(contains=f"{name}="))


def _no_page() -> HeaderMatcher:
    """A program that asks for data can do nothing with a page to log in."""
    return HeaderMatcher(
        name="accept",
        string_match=StringMatcher(contains="text/html"),
        invert_match=True,
        treat_missing_header_as_empty=True,
    )


def _cookies() -> CookieConfigs:
    """No other site's request brings them along, save by a link."""
    lax = CookieConfig(same_site=CookieConfigSameSite.LAX)
    names = (
        "bearer_token_cookie_config",
        "oauth_hmac_cookie_config",
        "oauth_expires_cookie_config",
        "id_token_cookie_config",
        "refresh_token_cookie_config",
        "oauth_nonce_cookie_config",
        "code_verifier_cookie_config",
    )
    return CookieConfigs(**dict.fromkeys(names, lax))
