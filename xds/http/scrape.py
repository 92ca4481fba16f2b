"""A proxy's admin interface -> its metrics, as Prometheus reads them."""

from __future__ import annotations

from xds.metrics import NAMESPACE

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_KEPT = (NAMESPACE, "envoy_cluster_", "envoy_http_", "envoy_listener_", "envoy_server_")
"""Beginnings of what is passed on."""


async def scrape(admin: str | tuple[str, int]) -> str | None:
    """The proxy's metrics in Prometheus' text format; None if it does not answer.

    `admin` is the path of a unix socket, or host and port.
    """
    import httpx

    transport = httpx.AsyncHTTPTransport(uds=admin) if isinstance(admin, str) else None
    host = "localhost" if isinstance(admin, str) else f"{admin[0]}:{admin[1]}"
    try:
        async with httpx.AsyncClient(transport=transport, timeout=5.0, trust_env=False) as client:
            answer = await client.get(f"http://{host}/stats/prometheus", params={"usedonly": ""})
    except httpx.HTTPError:
        return None
    if answer.status_code != 200:
        return None
    lines = (line for line in answer.text.splitlines() if line.removeprefix("# TYPE ").startswith(_KEPT))
    return "\n".join(lines) + "\n"
