"""`upstream` of sidegate.yaml -> Upstream: a URL, or an object that says more of its endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from xds.model import Upstream
from xds.native.faults import faults
from xds.native.quantities import seconds
from xds.native.traffic import Balance, Circuit, Dns, Endpoint, Health, Outliers, RetryBudget, Traffic, is_address
from xds.settings.reader import Reader
from xds.settings.tls import upstream_tls
from xds.settings.transcoding import transcoding
from xds.settings.upstream_schema import UPSTREAM

Address = tuple[str, str, int]
"""Scheme, host and port."""


def upstream(reader: Reader, value: Any, at: str) -> Upstream | None:
    """One upstream, or None after diagnostics."""
    if not isinstance(value, dict):
        found = _address(reader, value, at)
        return Upstream(*found, reader.place(at)) if found else None
    before = len(reader.found)
    for fault in faults(value, UPSTREAM):
        code = "settings-unknown-key" if fault.code == "extension-unknown" else "upstream-invalid"
        reader.say(code, fault.message, at + fault.pointer, fault.help)
    if len(reader.found) > before:
        return None
    made = _upstream(reader, value, at)
    return made if made and len(reader.found) == before else None


def _address(reader: Reader, value: Any, at: str) -> Address | None:
    try:
        url = urlsplit(value) if isinstance(value, str) else None
        port = url.port if url else None
    except ValueError:
        url, port = None, None
    if url is None or url.scheme not in ("http", "https") or not url.hostname or url.username or url.query:
        reader.say("upstream-invalid", "an upstream is a URL like http://127.0.0.1:9000", at)
        return None
    if url.path not in ("", "/"):
        help_ = (
            "the upstream gets the public path as it is: leave the path out here (an operation may have a `rewrite`)"
        )
        reader.say("upstream-invalid", f"an upstream has no path, this one has '{url.path}'", at, help_)
        return None
    return url.scheme, url.hostname, port or (443 if url.scheme == "https" else 80)


def _upstream(reader: Reader, value: Mapping[str, Any], at: str) -> Upstream | None:
    written = _written(value)
    if len([key for key in ("url", "urls", "endpoints") if key in value]) != 1:
        reader.say("upstream-invalid", "an upstream has one of `url`, `urls` and `endpoints`", at)
        return None
    addresses = [_address(reader, text, at + pointer) for pointer, text, _, _ in written]
    each = [(found, weight, zone) for found, (_, _, weight, zone) in zip(addresses, written, strict=True) if found]
    if len(each) < len(written):
        return None
    scheme, host, port = each[0][0]
    endpoints = tuple(Endpoint(found[1], found[2], weight, zone) for found, weight, zone in each)
    several = () if len(endpoints) == 1 and endpoints[0] == Endpoint(host, port) else endpoints
    tls = upstream_tls(reader, value["tls"], f"{at}/tls") if "tls" in value else None
    made = Upstream(scheme, host, port, reader.place(at), several, _traffic(reader, value, at), tls)
    _check(reader, value, {found[0] for found, _, _ in each}, made, at)
    return made


def _written(value: Mapping[str, Any]) -> list[tuple[str, str, int, str]]:
    """Pointer, URL, weight and zone of each address."""
    rows = [("/url", value["url"], 1, "")] if "url" in value else []
    rows += [(f"/urls/{n}", url, 1, "") for n, url in enumerate(value.get("urls", ()))]
    for n, row in enumerate(value.get("endpoints", ())):
        address = row["address"]
        url = address if "://" in address else f"http://{address}"
        rows.append((f"/endpoints/{n}/address", url, row.get("weight", 1), row.get("zone", "")))
    return rows


def _traffic(reader: Reader, value: Mapping[str, Any], at: str) -> Traffic:
    budget, dns = value.get("retryBudget", {}), value.get("dns", {})
    return Traffic(
        balance=_balance(value.get("balance", "round-robin")),
        health=_health(value["health"]) if "health" in value else None,
        outliers=_outliers(value.get("outliers", {})),
        circuit=Circuit(**value.get("limits", {})),
        retry_budget=RetryBudget(float(budget.get("percent", 20)), budget.get("minimum", 3)),
        dns=Dns(
            dns.get("type", "strict"),
            _time(dns.get("refresh")),
            dns.get("ttl", False),
            dns.get("family", "v4-preferred"),
        ),
        discovered=value.get("discovery") == "eds",
        protocol=value.get("protocol", "http2" if "transcode" in value else "http1"),
        transcoding=transcoding(reader, value["transcode"], f"{at}/transcode") if "transcode" in value else None,
    )


def _time(text: str | None) -> float | None:
    return None if text is None else seconds(text)


def _balance(value: Any) -> Balance:
    if isinstance(value, str):
        return Balance(value)
    kind, rule = next(iter(value.items()))
    source, _, name = rule["by"].partition(":")
    return Balance(kind, source, name.lower() if source == "header" else name)


def _health(value: Mapping[str, Any]) -> Health:
    said: dict[str, Any] = {key: seconds(value[key]) for key in ("interval", "timeout") if key in value}
    said |= {key: value[key] for key in ("healthy", "unhealthy") if key in value}
    return Health(value["path"], **said)


_OUTLIERS = {
    "failures": "failures",
    "serverErrors": "server_errors",
    "gatewayErrors": "gateway_errors",
    "share": "share",
}


def _outliers(value: Mapping[str, Any]) -> Outliers:
    said: dict[str, Any] = {field: value[key] for key, field in _OUTLIERS.items() if key in value}
    said |= {key: seconds(value[key]) for key in ("interval", "ejection") if key in value}
    return Outliers(**said)


def _check(reader: Reader, value: Mapping[str, Any], schemes: set[str], made: Upstream, at: str) -> None:
    """What no schema can say."""
    hosts = {each.host for each in made.endpoints} or {made.host}
    named = sorted(host for host in hosts if not is_address(host))
    traffic = made.traffic

    def say(message: str, pointer: str, help: str) -> None:
        reader.say("upstream-invalid", message, at + pointer, help)

    if len(schemes) > 1:
        say("some endpoints are https and some are not", "", "use one scheme for all of them")
    if made.tls is not None and made.scheme != "https":
        say("`tls` is for an https upstream", "/tls", "write https:// in the URL, or leave it out")
    named_once = made.tls is not None and made.tls.server_name is not None
    if made.scheme == "https" and (len(hosts) > 1 or traffic.discovered) and not named_once:
        say("endpoints with TLS have one name to be checked for", "", "say `tls: {serverName: ...}`, or use one url")
    if "transcode" in value and traffic.protocol != "http2":
        say("gRPC needs HTTP/2", "/protocol", "leave `protocol` out")
    if len({(e.host, e.port) for e in made.endpoints}) < len(made.endpoints):
        say("an endpoint is listed twice", "", "give it a `weight` instead")
    if traffic.discovered and named:
        say(
            f"EDS delivers addresses, and '{named[0]}' is a name",
            "/discovery",
            "leave `discovery` out: DNS finds names",
        )
    if "dns" in value and not named:
        say("no endpoint has a name to look up", "/dns", "leave `dns` out")
    if traffic.dns.kind == "logical" and len(made.endpoints) > 1:
        say("`logical` follows one name", "/dns/type", "use `strict`, or one url")
    if traffic.dns.refresh == 0:
        say("looking up all the time is no refresh", "/dns/refresh", "5s is usual")
    _check_health(traffic, say)
    _check_balance(traffic.balance, say)


def _check_health(traffic: Traffic, say: Any) -> None:
    health, outliers = traffic.health, traffic.outliers
    if health and not health.timeout:
        say("a health check without time cannot succeed", "/health/timeout", "1s is usual")
    if health and health.interval < 0.1:
        say("health checks are at least 100 ms apart", "/health/interval", "5s is usual")
    if outliers.interval < 0.1 or not outliers.ejection:
        say("outliers are looked for every 100 ms at most, and ejected for some time", "/outliers", "5s is usual")


def _check_balance(balance: Balance, say: Any) -> None:
    if balance.source == "header" and balance.name.startswith(("x-sidegate-", "x-envoy-")):
        say(f"clients cannot send '{balance.name}'", f"/balance/{balance.kind}/by", "use another header")
