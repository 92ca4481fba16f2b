"""Gateway, Service, Version, Operation: what the contracts and the settings mean. No OpenAPI and no Envoy types.

Everything here is frozen and holds plain data, so that two processes that compile the same files hold equal models and
equal digests. Places in files are kept as `Place` (file and pointer); `xds.source` turns one into line and column when
somebody asks, since lines must not change a digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from xds.listeners import Listener, Secret, UpstreamTls
from xds.native import PLAIN, Edge, Native, Setting
from xds.native.rates import Quotas
from xds.native.traffic import Endpoint as Endpoint
from xds.native.traffic import Traffic
from xds.place import Place as Place
from xds.plain import Plain

# --- schemas -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SchemaRef:
    """A schema in `Schemas`: `uri` is absolute, with an RFC 6901 pointer as its fragment; `place` is where it was written."""

    uri: str
    place: Place


@dataclass(frozen=True, slots=True)
class Schemas:
    """All schemas that a version's requests are judged by, lowered to plain JSON Schema 2020-12 in request direction.

    `resources` maps an absolute URI without fragment (`sidegate:///contracts/catalog/v1.yaml`, or a schema's own `$id`)
    to a mapping whose keys are pointers in that file and whose values are the schemas written there: the URI of
    `/components/schemas/Pet` ends in `#/~1components~1schemas~1Pet`, so that no schema lies inside another. Dialect
    differences (3.0's `nullable`, boolean `exclusiveMinimum`, ignored siblings of `$ref`), `readOnly` and `discriminator`
    are already expressed in 2020-12 keywords; every `$ref` is absolute. What an engine says of a keyword's URI,
    `xds.contract.schema_place` turns into the place in the source file.
    """

    resources: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """What text may be decoded to, drawn from a parameter's or form field's schema (through `$ref` and `allOf`...).

    `types` are JSON Schema type names, all seven if the schema does not say; `items` is the shape of array items,
    `properties` of known object members, `additional` of the others (None: decode them as strings).
    """

    types: frozenset[str]
    items: Shape | None = None
    properties: Mapping[str, Shape] = field(default_factory=dict)
    additional: Shape | None = None


# --- operations ---------------------------------------------------------------------------------------------------------


class Location(StrEnum):
    """OpenAPI's `in`. `QUERYSTRING` is 3.2's whole-query parameter."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"
    COOKIE = "cookie"
    QUERYSTRING = "querystring"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One effective parameter of an operation (OpenAPI, Parameter Object), path-item and operation level merged.

    `style` and `explode` have their defaults filled in. Exactly one of `style` and `media_type` is set: `media_type` is
    the key of a `content` parameter, whose text is one document of that type. `name` is lower case for headers.
    """

    name: str
    location: Location
    required: bool
    schema: SchemaRef | None
    shape: Shape
    style: str | None = "simple"
    explode: bool = False
    allow_reserved: bool = False
    allow_empty: bool = False
    media_type: str | None = None
    place: Place = Place("")


@dataclass(frozen=True, slots=True)
class Encoding:
    """How one property of a form or multipart body is written (OpenAPI, Encoding Object), defaults filled in."""

    content_types: tuple[str, ...]
    style: str | None = None
    explode: bool = True
    allow_reserved: bool = False
    headers: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaType:
    """One entry of a request body's `content`. `range` is the key, lower case, without parameters (`*/*` is one)."""

    range: str
    schema: SchemaRef | None
    shape: Shape | None
    encodings: Mapping[str, Encoding] = field(default_factory=dict)
    place: Place = Place("")


@dataclass(frozen=True, slots=True)
class Body:
    """OpenAPI's Request Body Object. `limit` is in bytes."""

    required: bool
    media: tuple[MediaType, ...]
    limit: int
    place: Place


@dataclass(frozen=True, slots=True)
class Example:
    """A value of an answer as the contract shows it. `name` is empty for one that has none."""

    name: str
    value: Any
    place: Place


@dataclass(frozen=True, slots=True)
class Content:
    """One media type of an answer, lower case, without parameters."""

    range: str
    examples: tuple[Example, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Answer:
    """One entry of OpenAPI's Responses Object. `status` is `200`, `2XX` or `default`."""

    status: str
    contents: tuple[Content, ...]

    @property
    def is_plain(self) -> bool:
        """Whether it is for one status only."""
        return self.status.isdigit()

    def is_for(self, status: int) -> bool:
        return self.status in (str(status), f"{status // 100}XX", "default")


class SchemeKind(StrEnum):
    """What a security scheme asks for: `http` bearer, `oauth2` and `openIdConnect` all ask for a JWT."""

    JWT = "jwt"
    KEY = "apiKey"
    BASIC = "basic"
    TLS = "mutualTLS"


@dataclass(frozen=True, slots=True)
class Credential:
    """One scheme of a security requirement with the `scopes` it asks for (role names for `http` schemes of 3.1).

    Of an API key, `place` (header, query or cookie) and `name` say where it is carried; a header's name is lower case.
    """

    scheme: str
    scopes: tuple[str, ...] = ()
    kind: SchemeKind = SchemeKind.JWT
    place: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One Security Requirement Object: all its credentials together; none at all means anonymous is enough."""

    credentials: tuple[Credential, ...]


class Mode(StrEnum):
    """What becomes of a request that contract or policy refuses: refused, passed and recorded, or never looked at."""

    ENFORCE = "enforce"
    REPORT = "report"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class PolicyBinding:
    """Which rule decides an operation.

    `entrypoint` is a rule path `catalog/authz/allow` chosen by the contract, or None for the service's default (found in
    its bundle when the bundle is loaded, so that a policy edit never changes a digest). `exempt` is the reason given with
    `policy: none`; then nothing decides.
    """

    entrypoint: str | None = None
    exempt: str | None = None
    place: Place = Place("")


class Placement(StrEnum):
    """Where a check runs: Envoy's own filters, a generated program in the proxy, or the companion."""

    NATIVE = "native"
    IN_PROXY = "in-proxy"
    COMPANION = "companion"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is checked for an operation, where, and why there. `kind` is a word for `explain`."""

    kind: str
    placement: Placement
    reason: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One path segment of a template: literal text (decoded, as Envoy's normalised path has it) and names in turn.

    `parts` alternates between literal strings and `Name`s: `{name}.json` is (Name("name"), ".json").
    """

    parts: tuple[str | Name, ...]

    @property
    def literal(self) -> str | None:
        """The segment's text if it holds no names, else None."""
        return "".join(map(str, self.parts)) if not any(isinstance(p, Name) for p in self.parts) else None


@dataclass(frozen=True, slots=True)
class Name:
    """A template variable in a path."""

    name: str


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A public path: base path and path template in one. `text` is as a person writes it, `/v1/items/{id}`."""

    text: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path of one version.

    `id` is unique in the version, printable ASCII (the contract's operationId, or one made of method and path);
    `method` is upper case; `query_open` says that undeclared query parameters pass; `security` is empty if no token is
    asked for; `checks` is filled in by the `place` pass. An Operation Object under several base paths is several
    operations: the first has the contract's operationId as its `id`, the others have it as their `shared_name`.
    `settings` is what `x-sidegate` says of native features, as it was written; the `configure` pass makes `native` of it.
    `answers` is what the contract says of responses, where a feature asks for it; `events` that one is an event stream.
    """

    id: str
    method: str
    path: PathTemplate
    parameters: tuple[Parameter, ...]
    body: Body | None
    security: tuple[Alternative, ...]
    policy: PolicyBinding
    mode: Mode
    query_open: bool
    tags: tuple[str, ...]
    deprecated: bool
    place: Place
    checks: tuple[Check, ...] = ()
    shared_name: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    native: Native = PLAIN
    answers: tuple[Answer, ...] = ()
    plain: Plain | None = None
    """The form of requests that keep the contract, and that nothing else is asked about; the `place` pass fills it in."""
    events: bool = False

    @property
    def name(self) -> str:
        """What the contract calls it: in policies, problem documents, logs and spans. See `shared_name`."""
        return self.shared_name or self.id


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a version's requests go. `scheme` is `http` or `https`; `host` a name or an address.

    `endpoints` are all addresses if there are several, or one with more to say; else empty: `host` and `port` are it.
    """

    scheme: str
    host: str
    port: int
    place: Place = Place("")
    endpoints: tuple[Endpoint, ...] = ()
    traffic: Traffic = Traffic()
    tls: UpstreamTls | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One contract of a service, compiled. `digest` is over everything that decides how its requests are judged."""

    service: str
    name: str
    digest: str
    upstream: Upstream
    operations: tuple[Operation, ...]
    schemas: Schemas
    files: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class RemoteKeys:
    """A key set that is fetched: from `host`, `port` and `path` over `scheme`, every `refresh` seconds."""

    scheme: str
    host: str
    port: int
    path: str
    refresh: float

    @property
    def url(self) -> str:
        """As it is asked for."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class Login:
    """How a browser gets a token: from `authorize` (a URL) by way of `token`, back at `redirect`, away by `signout` (paths).
    `secret` names the client's secret."""

    client_id: str
    secret: str
    authorize: str
    token: RemoteKeys
    redirect: str
    signout: str
    scopes: tuple[str, ...]

    @property
    def cookie_secret(self) -> str:
        """The name of the secret that cookies are signed and encrypted with."""
        return f"{self.secret}:cookies"


@dataclass(frozen=True, slots=True)
class JwtScheme:
    """A configured bearer scheme: who may sign, for whom, with which keys (`jwks` is the document's text, or they are
    `remote`). `forward` says that the upstream gets the token; `headers` are names and the claims that they carry there."""

    name: str
    issuer: str
    audiences: tuple[str, ...]
    jwks: str
    place: Place = Place("")
    remote: RemoteKeys | None = None
    forward: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    login: Login | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a consumer, as the SHA-256 (64 hexadecimal digits) of what is presented. `plan` is the consumer's."""

    consumer: str
    sha256: str
    plan: str | None = None


@dataclass(frozen=True, slots=True)
class KeyScheme:
    """A configured scheme of API keys, or of users with generated passwords (HTTP basic: `user:password` is presented).

    `forward` says that the upstream gets the credential."""

    name: str
    keys: tuple[Key, ...]
    place: Place = Place("")
    forward: bool = False


@dataclass(frozen=True, slots=True)
class TlsScheme:
    """A configured scheme of client certificates: names (URI, DNS) or subjects that stand in them, and their consumers."""

    name: str
    consumers: tuple[tuple[str, str], ...]
    place: Place = Place("")


Scheme = JwtScheme | KeyScheme | TlsScheme


@dataclass(frozen=True, slots=True)
class Service:
    """A service with its versions. `hosts` are lower-case domains; empty means every host."""

    name: str
    hosts: tuple[str, ...]
    versions: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """What routes name in filters that are delivered apart from them: quotas by slot, and what is asked of tokens, each with
    whether a later filter decides."""

    quotas: Quotas = ()
    tokens: tuple[tuple[tuple[Alternative, ...], bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything one project asks for, in a stable order (services and versions by name, operations by path, method).

    Without `listeners` there is one, in the clear, where the profile says; `secrets` is their key material and that of
    upstreams, by name. `former` is what the routes before this named, which proxies may still hold.
    """

    services: tuple[Service, ...]
    schemes: tuple[Scheme, ...]
    edge: Edge = Edge()
    listeners: tuple[Listener, ...] = ()
    secrets: tuple[Secret, ...] = ()
    former: Named = Named()
