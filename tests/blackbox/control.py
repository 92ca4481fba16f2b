"""`python -m tests.blackbox.control OPTIONS-AS-JSON`: the control plane alone, for tests that end it and start it again."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

from xds.address import Address
from xds.control.running import Control
from xds.envoy.profile import Collector, Profile


async def run(options: dict[str, str]) -> None:
    """Serve until SIGTERM. Options: folder, state, listen, companion, management, ads, log, otlp."""
    listen, companion = Address.parse(options["listen"]), Address.parse(options["companion"])
    otlp = urlsplit(options["otlp"])
    profile = Profile(
        listen=(listen.host, listen.port),
        companion=(companion.host, companion.port),
        otlp=Collector(otlp.scheme, otlp.hostname or "", otlp.port or 0),
        access_log=options["log"],
    )
    control = Control(
        Path(options["folder"]),
        profile,
        management=Address.parse(options["management"]),
        ads=options["ads"],
        on_event=lambda event: print(event, flush=True),
        state=Path(options["state"]),
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await control.start()
    await stop.wait()
    await control.stop()


if __name__ == "__main__":
    asyncio.run(run(json.loads(sys.argv[1])))
