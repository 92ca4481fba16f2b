"""Gateway, Service, Version, Operation: what the contracts and the settings mean. No OpenAPI and no Envoy types.

Everything here is frozen and holds plain data, so that two processes that compile the same files hold equal models and
equal digests. Places in files are kept as `Place` (file and pointer); `xds.source` turns one into line and column when
somebody asks, since lines must not change a digest.
"""

from __future__ import annotations

from xds.native.traffic import Endpoint
from xds.place import Place

from .answers import Answer, Content, Example
from .checks import Check, Mode, Placement, PolicyBinding
from .credentials import Alternative, Credential, SchemeKind
from .gateway import Cached, Gateway, Named
from .operation import Operation
from .paths import Name, PathTemplate, Segment
from .requests import Body, Encoding, Location, MediaType, Parameter
from .schemas import SchemaRef, Schemas, Shape
from .schemes import JwtScheme, Key, KeyScheme, Login, RemoteKeys, Scheme, TlsScheme
from .service import Service, Upstream, Version

__all__ = [
    "Alternative",
    "Answer",
    "Body",
    "Cached",
    "Check",
    "Content",
    "Credential",
    "Encoding",
    "Endpoint",
    "Example",
    "Gateway",
    "JwtScheme",
    "Key",
    "KeyScheme",
    "Location",
    "Login",
    "MediaType",
    "Mode",
    "Name",
    "Named",
    "Operation",
    "Parameter",
    "PathTemplate",
    "Place",
    "Placement",
    "PolicyBinding",
    "RemoteKeys",
    "SchemaRef",
    "Schemas",
    "Scheme",
    "SchemeKind",
    "Segment",
    "Service",
    "Shape",
    "TlsScheme",
    "Upstream",
    "Version",
]
