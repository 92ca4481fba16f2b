"""The proxy's own refusals as the verdicts word them are those of the proxy's table."""

from __future__ import annotations

from pytest_sidegate.refusals import REFUSALS, UNFIT, UNKNOWN_VERSION


def test_each_is_a_row_of_the_proxys_table() -> None:
    from xds.envoy.replies import REPLIES

    rows = {(reply.code, reply.status, reply.detail) for reply in REPLIES}
    mine = {(code, status, detail) for code, (status, detail) in REFUSALS.items()}
    mine |= {("unknown-version", status, detail) for status, detail in UNKNOWN_VERSION.items()}
    assert mine | {("token-invalid", 401, UNFIT)} <= rows
