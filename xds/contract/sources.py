"""Where a lowered schema was written."""

from __future__ import annotations

from urllib.parse import unquote

from xds.model import Place
from xds.source.pointer import tokens

from .library import SCHEME


def schema_place(uri: str) -> Place:
    """The place of a lowered schema or of a keyword in it.

    `uri` is one that an engine reports for a keyword: a resource, and a pointer whose first token is the whole pointer of
    the lowered schema in its file and whose others lead on from there. A schema with an `$id` of its own has that for a
    file name.
    """
    resource, _, fragment = uri.partition("#")
    first, *rest = tokens(unquote(fragment)) or [""]
    inner = "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in rest)
    return Place(unquote(resource.removeprefix(SCHEME)), first + inner)
