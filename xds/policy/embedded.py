"""input -> Decision, by the embedded engine in worker processes."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.diagnostics import Span

from .bundle import Bundle
from .decision import (
    ABSENT,
    CONFLICT,
    DENIED,
    ERROR,
    TIMEOUT,
    UNAVAILABLE,
    UNBOUND,
    UNDEFINED,
    Decision,
    decision_of,
    denial,
)
from .pool import BUSY, Answer, Pool, PrepareError
from .pool import TIMEOUT as OVERSTAYED
from .process import frame, words
from .reasons import explained, place_of, reason_rules

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_NEVER = 1 << 62
_REMEMBERED, _LONGEST = 4096, 2048
"""How many answers are remembered a bundle, and to how many bytes of input at most."""


_ANSWERS = (b"T", b"N", b"U", b"V")


class LoadError(Exception):
    """There is no engine to load bundles; those before still decide."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What asking for one rule takes: the head of the request, and the decisions that need nothing but its place."""

    path: str
    head: bytes
    fragile: tuple[str, ...]
    allowed: Decision
    denied: Decision
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A bundle that the workers hold, under a number. `answers` are by rule and input, as far as the policy reads it."""

    number: int
    bundle: Bundle
    rules: Mapping[str, _Rule]
    answers: OrderedDict[tuple[str, bytes], Decision] = field(default_factory=OrderedDict)

    def remember(self, rule: _Rule, text: bytes, decision: Decision) -> Decision:
        """Keep an answer that will always be the same; trouble is none."""
        if self.bundle.steady and len(text) <= _LONGEST and decision.code in (None, DENIED, UNDEFINED):
            self.answers[rule.path, text] = decision
            if len(self.answers) > _REMEMBERED:
                self.answers.popitem(last=False)
        return decision


class EmbeddedEngine:
    """Decides with `regopy` in `workers` processes and a spare. See `Pool` for what bounds a request.

    The engine cannot be interrupted: what overstays `deadline_s` is killed and denied with `policy-timeout`.
    """

    prunes = True

    def __init__(
        self, workers: int = 2, deadline_s: float = 0.25, *, queue: int = 256, recycle_after: int = _NEVER
    ) -> None:
        self._options = (workers, deadline_s, queue, recycle_after)
        self._pool: Pool | None = None
        self._loaded: dict[str, _Loaded] = {}
        self._numbers = itertools.count(1)

    @property
    def revisions(self) -> Mapping[str, str]:
        """The revision in force, by service."""
        return {service: loaded.bundle.revision for service, loaded in self._loaded.items()}

    async def problems(self) -> tuple[str, ...]:
        """Why decisions cannot be made now; nothing, if they can, or if no policy was ever loaded: then none is asked for."""
        return () if self._pool is None or self._pool.workers else ("the policy engine has no process",)

    async def load(self, bundles: Mapping[str, Bundle]) -> dict[str, str]:
        """Put these bundles in force, all that can be at once, in place of those before.

        Returns, by service, why a bundle was refused: the service keeps the one it had, if it had one. Raises LoadError if
        the engine is closed meanwhile, and then nothing changes.
        """
        if self._pool is None:
            self._pool = Pool(*self._options)
        kept = {s: held for s, held in self._loaded.items() if s in bundles and _same(held.bundle, bundles[s])}
        new = {s: _loaded(next(self._numbers), b) for s, b in bundles.items() if s not in kept}
        try:
            refused = await self._pool.load({held.number: _order(held) for held in new.values()})
        except PrepareError as e:
            raise LoadError(str(e)) from None
        problems = {s: words(refused[held.number].encode()) for s, held in new.items() if held.number in refused}
        before = self._loaded
        stay = {s: before[s] for s in problems if s in before}
        self._loaded = kept | {s: held for s, held in new.items() if s not in problems} | stay
        self._pool.drop({held.number for held in before.values()} - {held.number for held in self._loaded.values()})
        return problems

    async def decide(self, service: str, entrypoint: str | None, input: Mapping[str, Any]) -> Decision:
        """The decision of a rule (None: the service's default) for an input document. It raises nothing: trouble denies."""
        loaded = self._loaded.get(service)
        if loaded is None or self._pool is None:
            return denial(UNBOUND, "no policy is loaded for the service")
        rule = loaded.rules.get(entrypoint or loaded.bundle.default_entrypoint or "")
        if rule is None:
            return denial(UNBOUND, "the service's policies have no such rule", loaded.bundle.revision)
        try:
            text = _encode(input).encode()
        except (ValueError, TypeError, RecursionError) as e:
            return denial(ERROR, f"the input is no JSON: {type(e).__name__}", loaded.bundle.revision)
        if rule.fragile and b"\\" in text:
            return denial(ERROR, _fragile(rule), loaded.bundle.revision, rule.denied.rule)
        if (known := loaded.answers.get((rule.path, text))) is not None:
            await asyncio.sleep(0)  # who asks in a loop must not keep the others from being answered
            return known
        decision = _decision(await self._pool.decide(_request(rule, text)), rule)
        if decision.allowed or decision.reason is not None or decision.code not in (DENIED, UNDEFINED):
            return loaded.remember(rule, text, decision)
        explained, sure = await self._explained(loaded, rule, text, decision)
        return loaded.remember(rule, text, explained) if sure else explained

    async def value(self, service: str, rule: str, input: Mapping[str, Any]) -> Any:
        """The value of a rule that decides nothing, ABSENT if it has none. Raises ValueError where it has no answer."""
        loaded = self._loaded.get(service)
        asked = loaded.rules.get(rule) if loaded else None
        if asked is None or self._pool is None:
            return ABSENT
        text = _encode(input).encode()
        if asked.fragile and b"\\" in text:
            raise ValueError(_fragile(asked))
        kind, payload = await self._pool.decide(_request(asked, text))
        if kind == b"V":
            return json.loads(payload)
        if kind not in _ANSWERS:
            raise ValueError(words(payload))
        return ABSENT if kind == b"U" else kind == b"T"

    async def close(self) -> None:
        """End all processes."""
        self._loaded = {}
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def _explained(self, loaded: _Loaded, rule: _Rule, text: bytes, decision: Decision) -> tuple[Decision, bool]:
        """Ask for reasons only now: most requests are allowed and need none. False: they could not all be asked for."""
        for path in rule.reasons:
            if self._pool is None or (loaded.rules[path].fragile and b"\\" in text):
                return decision, False
            kind, payload = await self._pool.decide(_request(loaded.rules[path], text))
            if kind not in _ANSWERS:
                return decision, False
            found = explained(decision, loaded.bundle, path, json.loads(payload)) if kind == b"V" else decision
            if found is not decision:
                return found, True
        return decision, True


def _same(old: Bundle, new: Bundle) -> bool:
    """Whether the processes need not be told. Equal modules elsewhere in a file tree are other places, so compare all."""
    return old == new


def _loaded(number: int, bundle: Bundle) -> _Loaded:
    rules = {}
    for index, path in enumerate(bundle.rules):
        head = number.to_bytes(4, "little") + index.to_bytes(2, "little")
        rules[path] = _Rule(
            path,
            head,
            bundle.fragile.get(path, ("?",)),
            decision_of(True, bundle.revision, place_of(bundle, path, True)),
            decision_of(False, bundle.revision, place_of(bundle, path, False)),
            reason_rules(bundle, path),
        )
    return _Loaded(number, bundle, rules)


def _order(loaded: _Loaded) -> bytes:
    bundle = loaded.bundle
    modules = {f"{index}.rego": text for index, text in enumerate(bundle.programs.values())}
    order = {"id": loaded.number, "modules": modules, "data": bundle.data, "entrypoints": list(bundle.rules)}
    return json.dumps(order, ensure_ascii=False).encode()


def _request(rule: _Rule, text: bytes) -> bytes:
    return frame(b"D", rule.head + text)


def _fragile(rule: _Rule) -> str:
    names = ", ".join(rule.fragile)
    return f"the embedded engine cannot judge quotes, backslashes and control characters with {names}"


def _decision(answer: Answer, rule: _Rule) -> Decision:
    kind, payload = answer
    if kind == b"T":
        return rule.allowed
    if kind == b"N":
        return rule.denied
    revision, place = rule.denied.revision, rule.denied.rule
    if kind == b"V":
        return _valued(json.loads(payload), rule, revision, place)
    if kind == b"U":
        return denial(UNDEFINED, None, revision, place)
    if kind == b"C":
        return denial(CONFLICT, words(payload), revision, place)
    if answer is OVERSTAYED:
        return denial(TIMEOUT, "the policy took too long", revision, place)
    if answer is BUSY:
        return denial(UNAVAILABLE, "too many decisions are waiting", revision)
    if kind == b"E":
        return denial(ERROR, words(payload), revision, place)
    return denial(UNAVAILABLE, "the policy engine crashed", revision, place)


def _valued(value: Any, rule: _Rule, revision: str, denied: Span | None) -> Decision:
    decision = decision_of(value, revision, rule.allowed.rule)
    return decision if decision.allowed else decision_of(value, revision, denied)
