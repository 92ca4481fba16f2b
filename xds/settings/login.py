"""`login` of a scheme of tokens -> Login: how a browser gets one (OpenID Connect Core 1.0, section 3.1)."""

from __future__ import annotations

import re
from typing import Any

from xds.model import Login
from xds.model.listeners import Secret
from xds.settings.jwks import endpoint
from xds.settings.reader import Reader

_KEYS = ("clientId", "secret", "authorize", "token", "redirect", "signout", "scopes")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")


def files_of(security: Any) -> list[str]:
    """The files that hold the clients' secrets; anything may stand there."""
    found = []
    for scheme in security.values() if isinstance(security, dict) else ():
        login = scheme.get("login") if isinstance(scheme, dict) else None
        secret = login.get("secret") if isinstance(login, dict) else None
        if isinstance(secret, dict) and isinstance(secret.get("file"), str):
            found.append(secret["file"])
    return found


def login(reader: Reader, scheme: str, value: Any, at: str) -> Login | None:
    """How browsers log in; None if something is wrong."""
    section = reader.mapping(value, at, _KEYS)
    client = section.get("clientId")
    if not isinstance(client, str) or not client:
        reader.say("settings-invalid", "a login needs the `clientId` that the issuer gave this gateway", at)
        return None
    secret = _secret(reader, scheme, section.get("secret"), f"{at}/secret")
    authorize = endpoint(reader, section.get("authorize"), f"{at}/authorize", "`authorize`")
    token = endpoint(reader, section.get("token"), f"{at}/token", "`token`")
    paths = [_path(reader, section.get(key), f"{at}/{key}") for key in ("redirect", "signout")]
    if paths[0] is not None and paths[0] == paths[1]:
        message = "`redirect` and `signout` are one path: whoever comes back from the issuer would be signed out"
        reader.say("settings-invalid", message, f"{at}/signout", "/logout")
        return None
    scopes = reader.texts(section.get("scopes"), f"{at}/scopes") or ("openid",)
    if not secret or authorize is None or token is None or None in paths:
        return None
    return Login(client, secret, section["authorize"], token, str(paths[0]), str(paths[1]), scopes)


def _path(reader: Reader, value: Any, at: str) -> str | None:
    if isinstance(value, str) and _PATH.fullmatch(value):
        return value
    reader.say("settings-invalid", "`redirect` and `signout` are paths of the gateway's own, like /login/callback", at)
    return None


def _secret(reader: Reader, scheme: str, value: Any, at: str) -> str | None:
    """The name of the secret; the file's text is only looked at by whoever gives it to proxies."""
    file = reader.mapping(value, at, ("file",)).get("file")
    if not isinstance(file, str):
        reader.say("settings-invalid", "`secret` names the `file` that holds the client's secret, and nothing else", at)
        return None
    name = f"login:{scheme}"
    reader.want(name, at)
    if reader.closed:
        return name
    file = reader.file(file, f"{at}/file")
    text = (reader.files.get(file) or b"").strip()
    if not text:
        reader.say("certificate-unreadable", f"there is no secret in '{file}'", f"{at}/file")
    else:
        reader.secrets[name] = Secret(name, text, files=(file,), plain=True)
    return name
