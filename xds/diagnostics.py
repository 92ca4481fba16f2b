"""Diagnostic: what is wrong, where, and what to do about it; the table of codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum


class Severity(StrEnum):
    """How much a diagnostic weighs: an `error` refuses the service, a `warning` is a finding, a `note` only informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a file.

    `file` is relative to the project's folder, with forward slashes; `line` and `column` count from 1 (0 when only the
    file is known); `pointer` is the RFC 6901 pointer of the value there, "" for the whole file or a file without values.
    """

    file: str
    line: int = 0
    column: int = 0
    pointer: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `code` is a row of `CODES`; `related` are further places with a word on each."""

    code: str
    message: str
    span: Span | None = None
    help: str | None = None
    related: tuple[tuple[Span, str], ...] = ()

    @property
    def row(self) -> Code:
        """The row of the table that `code` names."""
        return CODES[self.code]

    @property
    def severity(self) -> Severity:
        return self.row.severity

    @property
    def more(self) -> Mapping[str, object]:
        """Further members of its JSON form."""
        return {}

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


@dataclass(frozen=True, slots=True)
class Code:
    """A row of the published table: what a code means, in one sentence, and how much it weighs."""

    severity: Severity
    meaning: str


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

CODES: dict[str, Code] = {
    # files and documents (xds.source)
    "file-unreadable": Code(_E, "A file or folder of the project cannot be read."),
    "path-escapes": Code(_E, "A link or reference leads outside its root folder."),
    "yaml-syntax": Code(_E, "The text is not well-formed YAML."),
    "json-syntax": Code(_E, "The text is not well-formed JSON."),
    "yaml-tag": Code(_E, "A YAML tag asks for something other than plain data."),
    "duplicate-key": Code(_E, "One mapping holds the same key twice."),
    "document-budget": Code(_E, "A document is larger, deeper or more self-similar than Sidegate reads."),
    "number-range": Code(_E, "A number that JSON cannot carry: infinite, not a number, or beyond a double's range."),
    # packs: a service's folder in one file (xds.source.packs, xds.source.union, xds.packs.packing)
    "pack-unreadable": Code(_E, "A pack is damaged, or no zip that one reader could not read otherwise than another."),
    "pack-collision": Code(_E, "A pack brings a service or a security scheme that somebody else has already."),
    "pack-forbidden": Code(_E, "A pack among others says something that is not about its own services."),
    "pack-secret": Code(_E, "A pack would hold a secret: ConfigMaps are not secret."),
    "pack-without-secret": Code(_N, "A file with secrets is left out of the pack."),
    "pack-too-large": Code(_E, "A pack is larger than a ConfigMap can be."),
    "pack-large": Code(_W, "A pack is larger than some tools can put into a ConfigMap."),
    # contracts (xds.contract)
    "openapi-version": Code(_E, "The document is of a version of OpenAPI that is not read, or of none."),
    "wrong-type": Code(_E, "A field holds a value of the wrong type."),
    "unknown-field": Code(_E, "An OpenAPI object has a field that its version does not know, or lacks one it needs."),
    "not-supported": Code(_E, "The contract uses something that Sidegate does not enforce yet."),
    "ref-remote": Code(_E, "A reference leads to something that is not among the project's files."),
    "ref-unresolved": Code(_E, "A reference leads to nothing."),
    "ref-cycle": Code(_E, "References lead back to themselves and to nothing else."),
    "ref-misplaced": Code(_W, "A reference stands where OpenAPI has none; it is followed all the same."),
    "ref-siblings": Code(_E, "Fields beside a reference have no defined meaning there."),
    "server-url": Code(_E, "A server's URL cannot be a base path."),
    "path-syntax": Code(_E, "A path template is malformed."),
    "path-unreachable": Code(_E, "No normalised request can have the path."),
    "path-parameter": Code(_E, "A path template and the path parameters do not name the same variables."),
    "path-duplicate": Code(_E, "Two path templates match the same requests."),
    "path-overlap": Code(_W, "Two path templates match some of the same requests; the leftmost literal wins."),
    "path-budget": Code(_E, "Path templates overlap in too many ways to be told apart."),
    "method": Code(_E, "An additional operation has a method that cannot be routed."),
    "operation-id": Code(_E, "An operation's id has characters that cannot stand in headers and names."),
    "operation-id-changed": Code(_W, "An operation's id has spaces, which become underscores."),
    "operation-id-duplicate": Code(_E, "Two operations of one contract have the same id."),
    "parameter-field": Code(_E, "A parameter's fields contradict each other or OpenAPI."),
    "parameter-style": Code(_E, "A parameter's style is not defined where the parameter is."),
    "parameter-duplicate": Code(_E, "One parameter is described twice, or beside one that excludes it."),
    "parameter-ignored": Code(_W, "OpenAPI gives a header parameter of that name no meaning."),
    "media-type": Code(_E, "A media type is malformed, or is listed twice."),
    "body-content": Code(_E, "A request body has no media type."),
    "body-meaningless": Code(_W, "HTTP gives the body of a request with that method no meaning."),
    "security-scheme": Code(_E, "A security scheme is of no known type."),
    "security-unknown": Code(_E, "A security requirement names a scheme that is not declared."),
    "security-unsupported": Code(_E, "A security requirement names a scheme of a kind that is not enforced yet."),
    "security-roles": Code(_W, "Scopes stand beside an http scheme, where OpenAPI 3.0 has none; they are enforced."),
    "security-optional": Code(_W, "One alternative of a security requirement asks for nothing."),
    "security-none": Code(_W, "Operations ask for no token and nothing says that this is meant."),
    "scope-meaningless": Code(_E, "Scopes are asked of a scheme whose credentials have none."),
    "scope-undeclared": Code(_W, "A scope is asked for that no flow of its scheme declares."),
    "extension-unknown": Code(_E, "`x-sidegate` has an unknown key."),
    "extension-value": Code(_E, "A key of `x-sidegate` has a value that means nothing."),
    "allowance-unmatched": Code(_W, "An entry of `breaking` names an operation that there is not, and allows nothing."),
    "cors-versions": Code(
        _W, "Versions of a path differ in the pages that may ask; a preflight needs the consent of all."
    ),
    "sunset-early": Code(_E, "Something goes away before it is deprecated."),
    "sunset-undeprecated": Code(_W, "Something goes away that was never deprecated."),
    "fault-forbidden": Code(_E, "An operation asks for faults, and sidegate.yaml does not allow them."),
    "example-invalid": Code(_E, "An example that is to be answered breaks its schema."),
    # compile-time policy (xds.policy.config)
    "config-denied": Code(_E, "A rule of `config.rego` or of the platform forbids how an operation is set up."),
    "config-failed": Code(_E, "A compile-time rule has no value for an operation: it fails, or takes too long."),
    "config-invalid": Code(_E, "A compile-time rule gives something that is no setting, or no denial."),
    "rule-misspelt": Code(
        _W, "A rule is called almost like one that is asked for while compiling, and nothing asks for it."
    ),
    "retries-unsafe": Code(_W, "A method that is not idempotent has retries that its service could see twice."),
    "rate-limit-service": Code(_E, "A shared limit needs `rateLimit` in sidegate.yaml: the service that counts."),
    "extension-misplaced": Code(_E, "`x-sidegate` is misspelled or stands where nobody reads it."),
    "schema-type": Code(_E, "A schema names a type that does not exist in its version of OpenAPI."),
    "schema-number": Code(_E, "A schema's number is out of the range that means something."),
    "schema-impossible": Code(_E, "A schema's keywords contradict each other: no value can match."),
    "schema-id": Code(_E, "A schema's `$id` or anchor is malformed, or is taken."),
    "schema-dialect": Code(_E, "A schema is of a JSON Schema dialect that is not read."),
    "schema-budget": Code(_E, "Schemas multiply beyond what is checked in bounded time."),
    "pattern-unsupported": Code(
        _E, "A pattern needs an engine whose time is not bounded, or is no ECMA-262 expression."
    ),
    "discriminator": Code(_E, "A discriminator is incomplete or maps a value to a schema that is not listed."),
    "discriminator-ignored": Code(_N, "A discriminator cannot name every schema, so that all of them are tried."),
    "unknown-keyword": Code(_W, "A schema has a keyword that says nothing in its version of OpenAPI."),
    # sidegate.yaml (xds.settings)
    "settings-invalid": Code(_E, "A value in sidegate.yaml has the wrong type or form."),
    "settings-unknown-key": Code(_E, "sidegate.yaml holds a key that means nothing there."),
    "certificate-unreadable": Code(_E, "A certificate, its key, or the authorities' certificates cannot be read."),
    "certificate-invalid": Code(_E, "A certificate or its key is of no form, or of no strength, that proxies take."),
    "certificate-mismatch": Code(_E, "A private key is not that of its certificate."),
    "certificate-validity": Code(_E, "A certificate is not valid yet, or no longer."),
    "certificate-expiring": Code(_W, "A certificate is in the last third of its time, and has less than 30 days."),
    "layer-missing": Code(_E, "The environment that is asked for has no file of settings."),
    "upstream-invalid": Code(_E, "An upstream is not an http or https URL of a host and a port."),
    "jwks-unreadable": Code(_E, "The key set of a security scheme cannot be read."),
    "jwks-invalid": Code(_E, "A key set is not a JSON Web Key Set of public signature keys."),
    "issuer-without-keys": Code(_E, "An issuer of tokens is configured without its keys, or with two sets of them."),
    # files of consumers' keys (xds.settings.keys)
    "keys-unreadable": Code(_E, "The file of a scheme's keys cannot be read."),
    "keys-invalid": Code(_E, "A file of keys has another form than `sidegate key` writes."),
    "plan-unknown": Code(_E, "A key names a plan that sidegate.yaml does not have."),
    "keys-plain": Code(_E, "A file of keys seems to hold a key itself instead of its hash."),
    "keys-empty": Code(_W, "A file of keys holds none, so that nobody can bring one."),
    # sidegate.yaml's section for `sidegate up` (xds.dev)
    "dev-invalid": Code(_W, "A value in the `dev` section of sidegate.yaml means nothing."),
    # sidegate.yaml's patches (xds.settings.patches)
    "patch-invalid": Code(_E, "A patch is incomplete, or its resource's type has no such field or value."),
    "patch-bypasses": Code(_E, "A patch leads around authentication or validation, and does not say why it may."),
    "patch-weakens": Code(_W, "A patch leaves a check weaker than it was made."),
    "patch-unmatched": Code(_W, "A patch matches no resource."),
    # the project as a whole (xds.compile)
    "no-contracts": Code(_E, "The project holds no contract at all."),
    "contract-misplaced": Code(_E, "A file in contracts/ is neither a version nor a part of one."),
    "version-twice": Code(_E, "One version of a service is written in two files."),
    "service-reserved": Code(_E, "A service has a name that stands for something else in every project."),
    "upstream-missing": Code(_E, "A service version has no upstream in sidegate.yaml."),
    "service-unknown": Code(_W, "sidegate.yaml names a service or version that has no contract."),
    "scheme-unconfigured": Code(_E, "A contract asks for a security scheme that sidegate.yaml does not configure."),
    "path-collision": Code(
        _E, "Two service versions claim the same path on the same host, or one takes requests of another owner's."
    ),
    "scheme-mismatch": Code(_E, "A security scheme is of one type in a contract, and of another in sidegate.yaml."),
    "policy-unbound": Code(_W, "No policy decides an operation, so it refuses every request."),
    "envoy-rejected": Code(_E, "A proxy refused resources that were compiled for it."),
    # what another gateway's export becomes (xds.importing)
    "import-no-equivalent": Code(_W, "Something of the imported API has no equivalent and is not carried over."),
    "import-refused": Code(_W, "Imported operations are refused by the policy until somebody has done something."),
    "import-left-out": Code(_W, "An imported route is not in the contract, since no contract can say it."),
    "import-differs": Code(_N, "Something imported behaves a little differently here."),
    "import-todo": Code(_N, "A value is needed that the export does not hold."),
    # tables of requests beside contracts (pytest_sidegate.shell.table)
    "tests-invalid": Code(_E, "A file of tests of a contract holds something that is no test."),
    # contracts against their former forms (xds.revisions.breaking); the changes are a table of their own (xds.contract.diff)
    "contract-breaking": Code(_E, "A contract breaks clients of the one that is served under the same version."),
    "contract-breaking-allowed": Code(_N, "A contract breaks clients of the one that is served, and says why it may."),
    "diff-unread": Code(_W, "The former form of a contract cannot be read, so that nothing is compared."),
    # policies (xds.policy)
    "rego-syntax": Code(_E, "The text is not a Rego module."),
    "rego-v0": Code(_E, "The text is Rego from before version 1."),
    "rego-function": Code(_E, "A function is called that is not there, or with other arguments than it takes."),
    "rego-builtin": Code(_E, "The embedded engine lacks a built-in function."),
    "rego-unsafe": Code(_E, "A variable is used that nothing binds."),
    "rego-recursion": Code(_E, "A rule depends on itself."),
    "rego-refused": Code(
        _E, "The policy engine refuses the policies, crashes on them, or takes too long to compile them."
    ),
    "policy-open": Code(_E, "A rule that decides holds without a condition, and no comment says that this is meant."),
    "policy-ambiguous": Code(_E, "Two rules could decide an operation, and no choice is made."),
    "policy-unknown-rule": Code(_E, "A contract names a rule that its policies do not have."),
    "policy-data": Code(_E, "A policy's data file is no object, or holds what is elsewhere already."),
}


def did_you_mean(name: str, options: Iterable[str]) -> str | None:
    """A help line that names the closest of `options`, or all of them if there are few, or None."""
    known = sorted(options)
    if close := get_close_matches(name, known, n=1):
        return f"did you mean '{close[0]}'?"
    return f"known here: {', '.join(known)}" if 0 < len(known) <= 8 else None


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of the diagnostics refuses its service."""
    return any(d.is_error for d in diagnostics)


def renamed(diagnostic: Diagnostic, name: Callable[[str], str]) -> Diagnostic:
    """The diagnostic with every file called what `name` makes of it."""
    at = diagnostic.span
    related = tuple((replace(span, file=name(span.file)), word) for span, word in diagnostic.related)
    return replace(diagnostic, span=replace(at, file=name(at.file)) if at else None, related=related)
