"""`nodes` -> the names that a proxy's certificate must have one of, by the service whose proxy it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xds.settings.reader import Reader
from xds.source.pointer import escape


def nodes(reader: Reader, value: Any) -> Mapping[str, tuple[str, ...]]:
    """`{SERVICE: [spiffe://... or DNS name, ...]}`; `edge` is the gateway in front of all, `ratelimit` the service that counts.

    A service that is not listed is known by its own name. What is wrong in a list leaves nobody in it: nothing is opened.
    """
    found = {}
    for service, names in reader.mapping(value, "/nodes").items():
        at = f"/nodes/{escape(service)}"
        texts = reader.texts(names, at)
        for index, name in enumerate(texts):
            if not name or any(c.isspace() for c in name) or ("://" in name and not name.startswith("spiffe://")):
                help_ = "write it as it stands in the certificate: spiffe://..., or a DNS name"
                reader.say("settings-invalid", f"'{name}' is no name of a certificate", f"{at}/{index}", help_)
        found[service] = texts
    return found
