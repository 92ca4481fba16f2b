"""Scopes by OpenAPI's rule: all schemes of one alternative, any alternative."""

from __future__ import annotations

import pytest

from sidecar.scopes import missing_scopes
from xds.model import Alternative, Credential

READ = Alternative((Credential("bearer", ("a:read",)),))
BOTH = Alternative((Credential("bearer", ("a:read", "a:write")),))
TWO = Alternative((Credential("bearer", ("a:read",)), Credential("other", ("b:read",))))
ANYBODY = Alternative(())


@pytest.mark.parametrize(
    ("security", "claims", "missing"),
    [
        ((), {}, ()),
        ((ANYBODY,), {}, ()),
        ((READ,), {"bearer": {"scope": "a:read x"}}, ()),
        ((READ,), {"bearer": {"scp": ["a:read"]}}, ()),
        ((READ,), {"bearer": {"scope": "a:rea a:reads A:READ"}}, ("a:read",)),
        ((READ,), {"bearer": {"scope": ["a:read"]}}, ("a:read",)),
        ((READ,), {"bearer": {"scp": "a:read"}}, ("a:read",)),
        ((READ,), {"bearer": {}}, ("a:read",)),
        ((READ,), {"other": {"scope": "a:read"}}, ("(a token)",)),
        ((BOTH,), {"bearer": {"scope": "a:write"}}, ("a:read",)),
        ((BOTH, READ), {"bearer": {"scope": "a:read"}}, ()),
        ((BOTH, ANYBODY), {"bearer": {}}, ()),
        ((TWO,), {"bearer": {"scope": "a:read"}}, ("(a token)",)),
        ((TWO,), {"bearer": {"scope": "a:read"}, "other": {"scope": "a:read"}}, ("b:read",)),
        ((TWO,), {"bearer": {"scope": "a:read"}, "other": {"scope": "b:read"}}, ()),
    ],
)
def test_missing_scopes(security, claims, missing):
    assert missing_scopes(security, claims) == missing
