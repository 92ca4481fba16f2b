"""Plain: what requests look like that keep their contract by their form alone, so that nobody need be asked about them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plain:
    """The form: no body, a path with its query that matches the regex `path`, and none of the headers in `absent`.

    It is narrower than the contract: a request of another form may keep it too, and is judged. `whole` says that only
    other texts in the path can be of another form and keep it. `queries`: a query may be plain. The path with its query matches
    each regex of `each`, and not `never`, if there is one.
    """

    path: str
    absent: tuple[str, ...]
    whole: bool
    queries: bool = False
    never: str = ""
    each: tuple[str, ...] = ()
