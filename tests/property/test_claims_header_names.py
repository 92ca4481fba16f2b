"""Law: a scheme's header name gives the scheme back, and no two schemes share one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xds.headers import claims_header, scheme_of


@given(st.text(min_size=1, max_size=20))
def test_there_and_back(scheme):
    header = claims_header(scheme)
    assert header == header.lower()
    assert header.isascii()
    assert scheme_of(header) == scheme
