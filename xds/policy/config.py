"""Operations, Bundle -> the same operations with what `config.rego` and the platform's rules give them, and what those forbid.

A service's rules are `data.<service>.config.settings` and `data.<service>.config.deny`, everybody's are those two names in
any package below `data.platform`. They are asked once an operation, when it is compiled, with the operation as input. Of
`settings`, an object of `x-sidegate`'s native keys, the contract's own keys win over the service's rules, and those over
the platform's. `deny` is a set of texts, or of objects `{msg, help}`; each of them refuses the service.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xds.diagnostics import Diagnostic, Span
from xds.model import Operation, Place
from xds.native import FEATURES, Setting
from xds.native.faults import faults, nearest

from .bundle import Bundle
from .evaluation import UNDEFINED, Evaluation, EvaluationError
from .input import prune
from .plan import Reads

_SCHEMAS = {feature.key: feature.schema for feature in FEATURES}
_ANSWERS = 100_000


@dataclass(frozen=True, slots=True)
class Rules:
    """The compile-time rules of a bundle: `settings` in the order in which they give way, `deny` in any."""

    settings: tuple[str, ...]
    deny: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.settings or self.deny)


def rules_of(bundle: Bundle) -> Rules:
    """The rules that are asked while compiling. `settings` may be one rule, or one a key: `settings.timeout := "2s"`."""
    own = f"{bundle.service}/config/"
    asked = [rule for rule in sorted(bundle.rules) if rule.startswith((own, "platform/"))]
    settings = [rule for rule in asked if rule.endswith("/settings") or _key(rule)]
    return Rules(
        tuple(sorted(settings, key=lambda rule: rule.startswith(own))),
        tuple(rule for rule in asked if rule.endswith("/deny")),
    )


def _key(rule: str) -> str | None:
    """The one key that a rule gives, if it is not the whole object."""
    above, _, key = rule.rpartition("/")
    return key if above.endswith("/settings") else None


@dataclass(slots=True)
class Configurer:
    """Applies the rules again and again; equal questions of one revision are asked once."""

    _answers: dict[tuple[str, str, str], Any] = field(default_factory=dict)
    _done: dict[int, tuple[Operation, str, Operation, tuple[Diagnostic, ...]]] = field(default_factory=dict)

    def configure(
        self, operations: tuple[Operation, ...], bundle: Bundle | None, service: str, version: str, at: Spans
    ) -> tuple[tuple[Operation, ...], list[Diagnostic]]:
        """The operations with their settings, and the diagnostics. Without rules they are the very same operations."""
        rules = rules_of(bundle) if bundle else None
        if not bundle or not rules:
            return operations, []
        done: list[Operation] = []
        found: list[Diagnostic] = []
        kept = {}
        with Evaluation(bundle) as evaluation:
            asking = _Asking(evaluation, bundle, rules, self._answers)
            for operation in operations:
                known = self._done.get(id(operation))
                if known is None or known[0] is not operation or known[1] != bundle.revision:
                    own, said = asking.apply(operation, service, version, at)
                    known = operation, bundle.revision, own, tuple(said)
                kept[id(operation)] = known
                done.append(known[2])
                found.extend(known[3])
        self._keep(kept)
        return tuple(done), found

    def _keep(self, kept: Mapping[int, Any]) -> None:
        if len(self._done) > _ANSWERS:
            self._done.clear()
        if len(self._answers) > _ANSWERS:
            self._answers.clear()
        self._done.update(kept)


class Spans:
    """Where a place is in its file, found when something is wrong there."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def __call__(self, place: Place) -> Span:
        from xds.source import span

        return span(self.files, place)


@dataclass(slots=True)
class _Asking:
    evaluation: Evaluation
    bundle: Bundle
    rules: Rules
    answers: dict[tuple[str, str, str], Any]

    def apply(self, operation: Operation, service: str, version: str, at: Spans) -> tuple[Operation, list[Diagnostic]]:
        said: list[Diagnostic] = []
        given: dict[str, Setting] = {}
        document = describe(operation, service, version)
        for rule in self.rules.settings:
            value, problem = self._value(rule, document, operation, at)
            said += problem
            if value is not UNDEFINED:
                value = {key: value} if (key := _key(rule)) else value
                given |= self._settings(rule, value, operation, at, said)
        settings = {**given, **operation.settings}
        if settings != operation.settings:
            operation = replace(operation, settings=settings)
        document["settings"] = {key: setting.value for key, setting in settings.items()}
        for rule in self.rules.deny:
            value, problem = self._value(rule, document, operation, at)
            said += problem
            if value is not UNDEFINED:
                said += self._denials(rule, value, operation, at)
        return operation, said

    def _value(
        self, rule: str, document: Mapping[str, Any], operation: Operation, at: Spans
    ) -> tuple[Any, list[Diagnostic]]:
        """A rule's value; one that cannot be had is a diagnostic, so that nothing is served without it."""
        wanted = self.bundle.reads.get(rule, Reads.everything())
        text = json.dumps(prune(document, wanted), ensure_ascii=False, sort_keys=True)
        key = self.bundle.revision, rule, text
        if key not in self.answers:
            try:
                self.answers[key] = self.evaluation.value(rule, text)
            except EvaluationError as e:
                return UNDEFINED, [self._diagnostic("config-failed", f"`{rule}` fails: {e}", rule, operation, at)]
        return self.answers[key], []

    def _settings(
        self, rule: str, value: Any, operation: Operation, at: Spans, said: list[Diagnostic]
    ) -> dict[str, Setting]:
        if not isinstance(value, dict):
            said.append(self._diagnostic("config-invalid", f"`{rule}` must be an object", rule, operation, at))
            return {}
        origin, found = self._place(rule), {}
        for key, one in value.items():
            if key not in _SCHEMAS:
                words = f"`{rule}` gives `{key}`, which is no native key of `x-sidegate`"
                said.append(self._diagnostic("config-invalid", words, rule, operation, at, nearest(key, _SCHEMAS)))
                continue
            wrong = list(faults(one, _SCHEMAS[key]))
            for problem in wrong:
                words = f"`{rule}` gives `{key}{problem.pointer}`: {problem.message}"
                said.append(self._diagnostic("config-invalid", words, rule, operation, at, problem.help))
            if not wrong:
                found[key] = Setting(one, Place(origin.file), origin)
        return found

    def _denials(self, rule: str, value: Any, operation: Operation, at: Spans) -> Iterator[Diagnostic]:
        """A diagnostic for each denial. A value that is no denial at all is one too: nobody knows what was meant."""
        if value is False:
            return
        for one in value if isinstance(value, list) else [value]:
            message = one.get("msg") if isinstance(one, dict) else one
            if not isinstance(message, str):
                words = f"`{rule}` must be a set of texts, or of objects with `msg`"
                yield self._diagnostic("config-invalid", words, rule, operation, at)
                continue
            help_ = one.get("help") if isinstance(one, dict) and isinstance(one.get("help"), str) else None
            yield self._diagnostic("config-denied", message, rule, operation, at, help_)

    def _diagnostic(
        self, code: str, message: str, rule: str, operation: Operation, at: Spans, help_: str | None = None
    ) -> Diagnostic:
        words = f"{operation.method} {operation.path.text}: {message}" if code == "config-denied" else message
        related = ((at(operation.place), "this operation"),)
        return Diagnostic(code, words, self._place(rule, message), help_, related)

    def _place(self, rule: str, wording: str = "") -> Span:
        """The definition that says these words, or the rule's first."""
        worded = self.bundle.wordings.get(rule, {}).get(wording)
        return worded or self.bundle.rules[rule][0]


def describe(operation: Operation, service: str, version: str) -> dict[str, Any]:
    """The input document of compile-time rules: an operation as its contract has it.

    `public` says that a request without credentials is enough; `settings` are the native keys of `x-sidegate` in force.
    """
    security = [
        [{"scheme": c.scheme, "scopes": list(c.scopes)} for c in alternative.credentials]
        for alternative in operation.security
    ]
    body = operation.body
    return {
        "service": service,
        "version": version,
        "operation_id": operation.name,
        "method": operation.method,
        "path": operation.path.text,
        "tags": list(operation.tags),
        "deprecated": operation.deprecated,
        "public": not security or [] in security,
        "security": security,
        "parameters": [{"name": p.name, "in": str(p.location), "required": p.required} for p in operation.parameters],
        "body": body
        and {"required": body.required, "limit": body.limit, "media_types": [media.range for media in body.media]},
        "mode": str(operation.mode),
        "policy": operation.policy.entrypoint,
        "exempt": operation.policy.exempt,
        "settings": {key: setting.value for key, setting in operation.settings.items()},
    }
