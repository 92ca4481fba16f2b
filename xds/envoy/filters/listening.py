"""Listener -> the filters of its own: who is served there, what clients are told of it, who the client's certificate names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from betterproto2 import Message
from envoy_data_plane.envoy.config.rbac.v3 import Permission, Policy, Principal, RbacAction
from envoy_data_plane.envoy.config.rbac.v3 import Rbac as Rules
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation, Mutations
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

from xds import headers
from xds.envoy import names
from xds.envoy.codec import any_of
from xds.envoy.downstream_tls import Chain
from xds.envoy.typed import set_header
from xds.model.listeners import ClientCertificate, Listener

POLICY = "misdirected"
"""RBAC can only answer 403; `xds.envoy.replies` turns that into the 421 it is (RFC 9110, section 15.5.20)."""

ALT_SVC_S = 86_400


def own_filters(listener: Listener, chain: Chain | None) -> Iterator[HttpFilter]:
    """The filters of one filter chain that no other listener has."""
    if policy := _misdirected(listener, chain):
        yield _filter(names.HOSTS_FILTER, policy)
    if listener.tls is not None and listener.tls.client is not ClientCertificate.NONE:
        yield _filter(names.PEER_FILTER, _peer())
    if told := list(_told(listener)):
        yield _filter(
            names.LISTENER_FILTER,
            HeaderMutation(mutations=Mutations(response_mutations=[set_header(name, value) for name, value in told])),
        )


def _filter(name: str, config: Message) -> HttpFilter:
    return HttpFilter(name=name, typed_config=any_of(config))


def _told(listener: Listener) -> Iterator[tuple[str, str]]:
    if listener.hsts is not None:
        yield "strict-transport-security", listener.hsts.header
    if listener.http3:
        yield "alt-svc", f'h3=":{listener.public_port}"; ma={ALT_SVC_S}'


def _peer() -> HeaderMutation:
    """What Envoy verified of the client's certificate. Early on every header of ours was taken off, so none is a client's."""
    values = (
        (headers.PEER_SUBJECT, "%DOWNSTREAM_PEER_SUBJECT%"),
        (headers.PEER_URI, "%DOWNSTREAM_PEER_URI_SAN%"),
        (headers.PEER_DNS, "%DOWNSTREAM_PEER_DNS_SAN%"),
        (headers.PEER_FINGERPRINT, "%DOWNSTREAM_PEER_FINGERPRINT_256%"),
    )
    mutations = [set_header(name, value) for name, value in values]
    return HeaderMutation(mutations=Mutations(request_mutations=mutations))


def _misdirected(listener: Listener, chain: Chain | None) -> Rbac | None:
    """Refuse hosts that are not served here, or that the certificate shown to the client is not for.

    A client that reached a chain by one name and asks for another's host would get past what that chain asks for.
    """
    refused = []
    if listener.hosts:
        refused.append(Permission(not_rule=_host(listener.hosts, below=True)))
    if chain is not None and chain.names:
        refused.append(Permission(not_rule=_host(chain.names)))
    elif chain is not None and chain.foreign:
        refused.append(_host(chain.foreign))
    if not refused:
        return None
    policy = Policy(permissions=refused, principals=[Principal(any=True)])
    return Rbac(rules=Rules(action=RbacAction.DENY, policies={POLICY: policy}))


def _host(patterns: Iterable[str], *, below: bool = False) -> Permission:
    regex = f"(?i)(?:{'|'.join(_regex(pattern, below) for pattern in patterns)})(?::[0-9]+)?"
    matched = StringMatcher(safe_regex=RegexMatcher(regex=regex))
    return Permission(header=HeaderMatcher(name=":authority", string_match=matched))


def _regex(pattern: str, below: bool) -> str:
    """A host, or those that `*.` stands for: one label in certificates (RFC 6125), any number in settings."""
    if pattern.startswith("*."):
        return f"{'.+' if below else '[^.:]+'}{re.escape(pattern[1:])}"
    return re.escape(pattern)
