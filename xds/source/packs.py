"""zips of a folder -> Pack: a service's folder in one file, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from xds.diagnostics import Diagnostic, Span
from xds.packs.unpacking import MAX_ALL, Unreadable, unpacked_strictly

ENDING = ".zip"
INDEX = "index.json"
"""In a folder of packs out of Kubernetes: what the ConfigMaps are that they came from."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a pack comes from: its namespace, and when that ConfigMap was made (RFC 3339); both empty for mere files."""

    namespace: str = ""
    created: str = ""


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack. `name` is its file's; `files` are those inside, by their names there; `readable` is false if it is refused."""

    name: str
    data: bytes = field(repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    readable: bool = True
    origin: Origin = Origin()

    @property
    def services(self) -> frozenset[str]:
        """The services that it has contracts for."""
        parts = (file.split("/") for file in self.files)
        return frozenset(p[1] for p in parts if len(p) > 2 and p[0] == "contracts")

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self.files.values()))


def inside(pack: str, file: str) -> str:
    """What a file in a pack is called where packs are seen from outside."""
    return f"{pack}/{file}"


def pack_of(file: str) -> str | None:
    """The pack that a name as `inside` makes them leads into."""
    first, slash, _ = file.partition("/")
    return first if slash and first.endswith(ENDING) else None


def origins(index: bytes | None) -> dict[str, Origin]:
    """What an index says of packs. Of an index that cannot be read, nothing."""
    try:
        listed = json.loads(index or b"{}")["packs"]
        return {str(name): Origin(str(p["namespace"]), str(p["created"])) for name, p in listed.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def state_of(index: bytes | None) -> int:
    """The newest state of the Kubernetes API that an index tells of: its `resourceVersion`s are of one resource type, which
    makes them comparable. Zero without one."""
    try:
        return max(map(int, json.loads(index or b"{}")["seen"].values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0


def folder_of(pack: str) -> str:
    """The folder beside a pack for what settings name and no pack may hold: secrets."""
    return pack.removesuffix(ENDING)


def beside(file: str) -> str:
    """Where a file that settings name lies on disk if its pack does not hold it."""
    pack = pack_of(file)
    return file if pack is None else f"{folder_of(pack)}/{file.partition('/')[2]}"


def read_packs(
    zips: Mapping[str, bytes],
    before: Mapping[str, Pack],
    unread: Iterable[str] = (),
    from_: Mapping[str, Origin] | None = None,
) -> tuple[dict[str, Pack], list[Diagnostic]]:
    """The packs of a folder by name; those that are refused are among them, without files. Code `pack-unreadable`.

    `before` lends its packs where the bytes are the same, and single files that are. `unread` are zips that were there
    and could not be read, of which the problem is told already. All together have a limit: who was there first has room.
    """
    from_ = from_ or {}
    packs: dict[str, Pack] = {name: Pack(name, b"", {}, False, from_.get(name, Origin())) for name in unread}
    problems = []
    for name, pack in before.items():
        if pack.readable and zips.get(name) == pack.data and pack.origin == from_.get(name, Origin()):
            packs[name] = pack
    room = MAX_ALL - sum(pack.size for pack in packs.values())
    newer = {name: from_.get(name, Origin()) for name in zips.keys() - packs.keys()}
    known = {name for name, old in before.items() if old.readable}
    for name in sorted(newer, key=lambda n: (n not in known, newer[n].created, n)):
        data, origin = zips[name], newer[name]
        try:
            files = unpacked_strictly(data, room)
        except Unreadable as refusal:
            packs[name] = Pack(name, data, {}, False, origin)
            problems.append(_refused(name, refusal))
            continue
        lent = before[name].files if name in before else {}
        shared = {f: lent[f] if lent.get(f) == new else new for f, new in files.items()}
        packs[name] = Pack(name, data, shared, True, origin)
        room -= packs[name].size
    return dict(sorted(packs.items())), problems


def _refused(pack: str, refusal: Unreadable) -> Diagnostic:
    file = "".join(c if c.isprintable() else "?" for c in refusal.file)[:200]
    help_ = "write it anew: sidegate pack DIR"
    return Diagnostic("pack-unreadable", refusal.message, Span(inside(pack, file) if file else pack), help_)
