"""Text -> Address or UnixSocket: where to listen, or what to reach."""

from __future__ import annotations

import os
import socket
import stat
from dataclasses import dataclass
from urllib.parse import quote

UNIX = "unix:"
_LONGEST = 107  # of sun_path, without the zero at its end (unix(7))


@dataclass(frozen=True, slots=True)
class Address:
    """A host (name, IPv4, or IPv6 without brackets) and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `host:port` or `[v6]:port`. Raises ValueError, which argparse turns into a usage message."""
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not host or not port.isdigit() or not 0 <= int(port) < 65536:
            raise ValueError(f"'{text}' is not HOST:PORT")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL to ask there over HTTP."""
        return f"http://{self}"


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """The path of a socket in the file system: only who may enter its folder reaches it."""

    path: str

    def __str__(self) -> str:
        return f"{UNIX}{self.path}"

    @property
    def url(self) -> str:
        """As `xds.http.reach` reads it: the socket's path, quoted, stands where a host would."""
        return f"http+unix://{quote(self.path, safe='')}"


Where = Address | UnixSocket


def where(text: str) -> Where:
    """Read `unix:/path`, `/path`, or what `Address.parse` reads. Raises ValueError."""
    if not text.startswith((UNIX, "/")):
        return Address.parse(text)
    path = text.removeprefix(UNIX)
    if not path.startswith("/") or len(os.fsencode(path)) > _LONGEST:
        raise ValueError(f"'{text}' is no socket: an absolute path of at most {_LONGEST} bytes")
    return UnixSocket(path)


def listening(place: Where, backlog: int = 512) -> socket.socket:
    """A socket that listens there. Raises OSError if it is taken.

    A unix socket is its owner's alone; a file that an earlier process left behind makes room.
    """
    if isinstance(place, Address):
        family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        return socket.create_server((place.host, place.port), family=family, backlog=backlog)
    if os.path.exists(place.path) and stat.S_ISSOCK(os.stat(place.path).st_mode):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(place.path) == 0:
                raise OSError(98, f"somebody listens on {place.path} already")
        os.unlink(place.path)
    made = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        made.bind(place.path)
    except OSError:
        made.close()
        raise
    finally:
        os.umask(before)
    made.listen(backlog)
    return made
