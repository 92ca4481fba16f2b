"""bytes, fields on demand -> message: what was put together of parts that were encoded before.

A route configuration of ten thousand operations is five megabytes, of which an edit changes a thousandth. Its parts are kept
as bytes, joined once, and read again by nobody who remembers what was in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from betterproto2 import Message

from xds.envoy.codec import known_as, metadata, present, type_url, varint

M = TypeVar("M", bound=Message)


@dataclass(eq=False, slots=True, weakref_slot=True)
class Token:
    """Stands for a part: parts that came with one token, at whatever time, refer to the same resources."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some fields of a message, encoded."""

    token: Token
    data: bytes


@dataclass(frozen=True, slots=True)
class Parts:
    """A message in pieces: it refers to what `around` refers to, which is the message without its parts, and to what the
    parts do, each read as a message of its type URL."""

    around: bytes
    inner: tuple[tuple[str, Part], ...]


class Composed:
    """What a message is beside its class if its bytes are known. Its fields are made when somebody asks for one."""

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        make = None if name.startswith("__") else own.pop("_make", None)
        if make is None:
            raise AttributeError(name)
        self.__dict__.update(make().__dict__)
        return getattr(self, name)


def composed(cls: type[M], parts: Sequence[Part], make: Callable[[], M]) -> M:
    """The message that its parts are one after the other; `make` must give a message of these very bytes."""
    return _made(cls, [part.data for part in parts], make, _parts=tuple(parts))


def encoded(cls: type[M], data: bytes) -> M:
    """The message whose bytes these are."""
    return _made(cls, [data], lambda: cls.parse(data))


def gathered(message: M) -> M:
    """The same message, its bytes joined once and not at every level between it and the composed ones inside."""
    return _made(type(message), _fragments(message, hollow=False), lambda: message, _around=message)


def parts_of(message: object) -> Parts | None:
    """The pieces of a gathered message; None for every other."""
    around = message.__dict__.get("_around") if isinstance(message, Composed) else None
    if around is None:
        return None
    return Parts(b"".join(_fragments(around, hollow=True)), tuple(_inner(around)))


def _made(cls: type[M], fragments: list[bytes], make: Callable[[], M], **about: Any) -> M:
    made: M = object.__new__(_class(cls))
    made.__dict__.update(about, _fragments=fragments, _make=make, _unknown_fields=b"")
    return made


@cache
def _class(cls: type[M]) -> type[M]:
    cls()  # pydantic finishes a class when it is first constructed
    made = type(cls.__name__, (Composed, cls), {"_betterproto_meta": metadata(cls), "__module__": cls.__module__})
    known_as(made, (("_fragments", None, b"".join),))
    _kinds[made] = cls
    return made


_kinds: dict[type, type[Message]] = {}


def _fragments(message: Any, *, hollow: bool) -> list[bytes]:
    """The bytes of a message in pieces; `hollow` leaves out the parts."""
    if isinstance(message, Composed):
        return [] if hollow and "_parts" in message.__dict__ else list(message.__dict__["_fragments"])
    numbers = metadata(type(message)).meta_by_field_name
    out: list[bytes] = []
    for name, encoder, value in present(message):
        inner = _messages(value)
        if not inner:
            out.append(encoder(value))
        for each in inner:
            pieces = _fragments(each, hollow=hollow)
            out += (varint(numbers[name].number << 3 | 2), varint(sum(map(len, pieces))), *pieces)
    return out


def _inner(message: Any) -> Iterator[tuple[str, Part]]:
    if isinstance(message, Composed):
        url = type_url(_kinds[type(message)])
        yield from ((url, part) for part in message.__dict__.get("_parts", ()))
        return
    for _, _, value in present(message):
        for each in _messages(value):
            yield from _inner(each)


def _messages(value: Any) -> Sequence[Message]:
    """The messages of a field, none if it holds something else."""
    if isinstance(value, Message):
        return (value,)
    return value if isinstance(value, list) and value and isinstance(value[0], Message) else ()
