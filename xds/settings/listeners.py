"""`listeners` -> Listener: addresses, each in the clear or with TLS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from xds.address import Address
from xds.model.listeners import ClientCertificate, Hsts, Listener, Offered, Tls, covers
from xds.native.quantities import seconds
from xds.settings.reader import Reader
from xds.settings.services import hosts
from xds.settings.tls import authorities, certificate
from xds.source.pointer import escape

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_KEYS = ("name", "address", "tls", "redirect", "http3", "hosts", "hsts", "publicPort")
_TLS = ("certificates", "clientCa", "clientCertificate", "minVersion")
VERSIONS = ("1.2", "1.3")


def files_of(value: Any) -> Iterator[str]:
    """The files that the section names; anything may stand there."""
    for _, _, section in _rows(value):
        tls = section.get("tls") if isinstance(section, dict) else None
        if not isinstance(tls, dict):
            continue
        rows = tls.get("certificates")
        named = (
            [row.get(part) for row in rows if isinstance(row, dict) for part in ("cert", "key")]
            if isinstance(rows, list)
            else []
        )
        yield from (file for file in (*named, tls.get("clientCa")) if isinstance(file, str))


def _rows(value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Pointer, name and section of each listener: a list, or a mapping by name, which layers can merge."""
    if isinstance(value, dict):
        yield from ((f"/listeners/{escape(name)}", name, section) for name, section in value.items())
    elif isinstance(value, list):
        for index, section in enumerate(value):
            yield f"/listeners/{index}", section.get("name") if isinstance(section, dict) else None, section


def listeners(reader: Reader, value: Any) -> tuple[Listener, ...]:
    """The listeners by name; none if the section is not there."""
    if value is None:
        return ()
    if not isinstance(value, (dict, list)) or not value:
        reader.say(
            "settings-invalid", "`listeners` is a list of listeners, or a mapping from their names", "/listeners"
        )
        return ()
    found = [made for at, name, section in _rows(value) if (made := _listener(reader, at, name, section))]
    _check_unique(reader, found)
    directed = (_redirected(reader, listener, found) for listener in found)
    return tuple(sorted(directed, key=lambda listener: listener.name))


def _listener(reader: Reader, at: str, name: Any, value: Any) -> Listener | None:
    section = reader.mapping(value, at, _KEYS)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        reader.say("settings-invalid", "a listener's `name` is of lower-case letters, digits and hyphens", at)
        return None
    try:
        address = Address.parse(str(section.get("address", "")))
    except ValueError:
        address = Address("", 0)
    if not address.port:
        reader.say("settings-invalid", "a listener's `address` is HOST:PORT or [V6]:PORT", f"{at}/address")
        return None
    tls = _tls(reader, section["tls"], f"{at}/tls") if section.get("tls") is not None else None
    made = Listener(
        name,
        address.host,
        address.port,
        tls,
        hosts(reader, section.get("hosts"), f"{at}/hosts"),
        _text(reader, section.get("redirect"), f"{at}/redirect"),
        _flag(reader, section.get("http3"), f"{at}/http3"),
        _hsts(reader, section["hsts"], f"{at}/hsts") if section.get("hsts") is not None else None,
        _port(reader, section.get("publicPort"), f"{at}/publicPort"),
        reader.place(at),
    )
    _check(reader, made, at)
    return made


def _tls(reader: Reader, value: Any, at: str) -> Tls | None:
    section = reader.mapping(value, at, _TLS)
    rows = section.get("certificates")
    if not isinstance(rows, list) or not rows:
        reader.say("settings-invalid", "`certificates` lists at least one {cert: FILE, key: FILE}", at)
        return None
    offered = []
    for index, row in enumerate(rows):
        inside = f"{at}/certificates/{index}"
        pair = reader.mapping(row, inside, ("cert", "key", "default"))
        default = _flag(reader, pair.get("default"), f"{inside}/default")
        if name := certificate(reader, pair.get("cert"), pair.get("key"), inside):
            offered.append(Offered(name, default))
            if not default and name in reader.secrets and not reader.secrets[name].names:
                help_ = "make it `default: true`, for clients that name no host"
                reader.say(
                    "settings-invalid", "the certificate has no DNS name that a client could ask for", inside, help_
                )
    if sum(each.default for each in offered) > 1:
        reader.say("settings-invalid", "one certificate can be the default", f"{at}/certificates")
    client, ca = _client(reader, section, at)
    version = str(section.get("minVersion", "1.2"))
    if version not in VERSIONS:
        reader.say("settings-invalid", '`minVersion` is "1.2" or "1.3"', f"{at}/minVersion")
    return Tls(tuple(offered), ca, client, version)


def _client(reader: Reader, section: dict[str, Any], at: str) -> tuple[ClientCertificate, str | None]:
    """Whether clients show certificates, and the secret of who may have signed them."""
    ca = authorities(reader, section["clientCa"], f"{at}/clientCa") if "clientCa" in section else None
    written = section.get("clientCertificate", "required" if ca else "none")
    try:
        client = ClientCertificate(written)
    except ValueError:
        reader.say("settings-invalid", "`clientCertificate` is none, optional or required", f"{at}/clientCertificate")
        return ClientCertificate.NONE, None
    if (client is not ClientCertificate.NONE) != (ca is not None):
        message = "clients' certificates are asked for with a `clientCa` that they are of, and not without"
        reader.say("settings-invalid", message, f"{at}/clientCertificate" if "clientCertificate" in section else at)
    return client, ca


def _hsts(reader: Reader, value: Any, at: str) -> Hsts | None:
    section = reader.mapping(value, at, ("maxAge", "includeSubDomains", "preload"))
    try:
        age = int(seconds(str(section.get("maxAge", ""))))
    except (ValueError, KeyError):
        reader.say("settings-invalid", "`hsts` has a `maxAge` like 365d", at)
        return None
    below = _flag(reader, section.get("includeSubDomains"), f"{at}/includeSubDomains")
    return Hsts(age, below, _flag(reader, section.get("preload"), f"{at}/preload"))


def _check(reader: Reader, listener: Listener, at: str) -> None:
    """What only makes sense together."""
    if listener.tls is None:
        for key, asked in (("http3", listener.http3), ("hsts", listener.hsts)):
            if asked:
                reader.say("settings-invalid", f"`{key}` needs `tls`", f"{at}/{key}")
        return
    if listener.redirect is not None:
        reader.say("settings-invalid", "`redirect` is for a listener without `tls`", f"{at}/redirect")
    known = [reader.secrets.get(each.secret) for each in listener.tls.certificates]
    if any(each.default for each in listener.tls.certificates) or None in known:
        return
    names = [name for secret in known if secret for name in secret.names]
    for host in listener.hosts:
        if not any(covers(name, host) for name in names):
            message = f"no certificate of the listener is for '{host}'"
            reader.say("settings-invalid", message, f"{at}/hosts", f"they are for {', '.join(names)}"[:200])


def _check_unique(reader: Reader, found: list[Listener]) -> None:
    seen: dict[object, Listener] = {}
    for listener in found:
        for what, key in (("name", listener.name), ("address", (listener.host, listener.port))):
            if key in seen:
                reader.say("settings-invalid", f"two listeners have the same {what}", listener.place.pointer)
            seen[key] = listener


def _redirected(reader: Reader, listener: Listener, every: list[Listener]) -> Listener:
    """The listener with the name of the one that it sends to: `https` is the only one with TLS."""
    if listener.redirect is None:
        return listener
    from dataclasses import replace

    secure = [each.name for each in every if each.tls is not None]
    known = f"there are: {', '.join(secure) or 'none'}"
    wanted = secure if listener.redirect == "https" else [name for name in secure if name == listener.redirect]
    if len(wanted) != 1:
        message = "`redirect` is `https` where one listener has `tls`, else the name of one that has"
        reader.say("settings-invalid", message, f"{listener.place.pointer}/redirect", known)
        return listener
    return replace(listener, redirect=wanted[0])


def _text(reader: Reader, value: Any, at: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    reader.say("settings-invalid", f"{at} must be a text", at)
    return None


def _flag(reader: Reader, value: Any, at: str) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    reader.say("settings-invalid", f"{at} must be true or false", at)
    return False


def _port(reader: Reader, value: Any, at: str) -> int:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536):
        return value or 0
    reader.say("settings-invalid", f"{at} must be a port", at)
    return 0
