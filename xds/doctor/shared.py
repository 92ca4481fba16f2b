"""A shared control plane, asked as a companion asks -> whether it and this certificate take each other."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xds import handshake
from xds.address import Address
from xds.doctor.finding import Finding, SetUp

PATIENCE_S = 10.0
_UNTRUSTED = "--xds-ca has the authority of the control plane's certificate, its --xds-client-ca that of this one"


def taken(setup: SetUp, place: Address) -> Iterator[Finding]:
    """Nothing to say where no certificate is shown, or one of its files is unreadable, which is told already."""
    files = _files(setup.ca, setup.key, setup.certificate)
    if not files:
        return
    status, why = _asked(place, files, setup.xds_name or place.host, setup.service or handshake.EDGE)
    if status == "PERMISSION_DENIED" and setup.service:
        name = f"{setup.service}.NAMESPACE.svc or spiffe://DOMAIN/ns/NAMESPACE/sa/{setup.service}"
        fix = f"a certificate for {name}, or name this one under `nodes` in the control plane's sidegate.yaml"
        yield Finding("identity-refused", f"the control plane at {place}: {why}", fix)
    elif status == "UNAVAILABLE":
        yield Finding("control-plane-untrusted", f"the control plane at {place} and this one: {why}", _UNTRUSTED)


def _files(*paths: Path | None) -> tuple[bytes, ...]:
    try:
        return tuple(path.read_bytes() for path in paths if path) if all(paths) else ()
    except OSError:
        return ()


def _asked(place: Address, files: tuple[bytes, ...], name: str, service: str) -> tuple[str, str]:
    """The status of a companion's stream that says who it is and no more, and what was said of it; empty if it is taken."""
    import grpc

    answered = threading.Event()

    def said() -> Iterator[bytes]:
        yield json.dumps({"node": "doctor", "service": service}).encode()
        answered.wait(PATIENCE_S)

    options = (("grpc.ssl_target_name_override", name),)
    with grpc.secure_channel(str(place), grpc.ssl_channel_credentials(*files), options) as channel:
        call: Any = channel.stream_stream(f"/{handshake.SERVICE}/{handshake.FOLLOW}")(said(), timeout=PATIENCE_S)
        try:
            next(call)
        except grpc.RpcError as error:
            return error.code().name, str(error.details())
        finally:
            answered.set()
            call.cancel()
    return "", ""
