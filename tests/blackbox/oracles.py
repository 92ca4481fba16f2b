"""Seen -> what is wrong with it: the checks that every case ends with, in the order of the published list.

Each oracle returns sentences; none means that it holds. An oracle that cannot look says so as a failure, so that it is
never silently vacuous.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from tests.blackbox.case import CLOSE
from tests.blackbox.http1 import Answer, Exchange
from tests.blackbox.world import Seen, World
from tests.e2e import processes
from tests.e2e.journal import TREASURE, Entry
from tests.waiting import PATIENCE_S

Oracle = Callable[[World, Seen], Iterator[str]]

SERVER = 2  # OpenTelemetry's SPAN_KIND_SERVER
GRACE = 30.0  # seconds until CPU is idle and descriptors are closed again, on a machine that does other things too
DESCRIPTORS = 12  # pooled connections that one case may leave open


def expected(world: World, seen: Seen) -> Iterator[str]:
    """The case's own row: status, code, pointer, same decision as another request, time."""
    case, exchange = seen.case, seen.exchange
    statuses = set(case.status)
    if exchange.status not in statuses:
        yield f"status {exchange.status or 'none (' + exchange.end + ')'}, not one of {sorted(statuses)}"
    if exchange.seconds > case.within:
        yield f"took {exchange.seconds:.3f} s, more than {case.within} s"
    if exchange.answers:
        yield from _document(seen, exchange.answer)
    if seen.twin is not None and _decision(seen.twin) != _decision(exchange):
        yield f"decided {_decision(exchange)}, but its twin {_decision(seen.twin)}"


def _document(seen: Seen, answer: Answer) -> Iterator[str]:
    codes = (seen.case.code,) if isinstance(seen.case.code, str) else seen.case.code
    if codes and answer.code not in codes and not set(codes) & set(answer.codes):
        yield f"code {answer.code!r} (all: {answer.codes}), not one of {list(codes)}"
    if seen.case.pointer is not None and seen.case.pointer not in answer.pointers:
        yield f"pointers {answer.pointers} hold no {seen.case.pointer!r}"


def _decision(exchange: Exchange) -> tuple[int, str | None]:
    return exchange.status, exchange.answers[0].code if exchange.answers else None


def treasure(world: World, seen: Seen) -> Iterator[str]:
    """O1: the upstream's undeclared route never answers a client."""
    told = b"".join(a.raw for a in seen.exchange.answers) + seen.exchange.rest
    if TREASURE in told:
        yield "O1: the hidden treasure reached the client"
    if hit := [e.line for e in seen.entries if "treasure" in e.path]:
        yield f"O1: the upstream was asked for the treasure: {hit}"


def journal(world: World, seen: Seen) -> Iterator[str]:
    """O2: a blocked request leaves no entry, an allowed one exactly one, equal to what was decided on."""
    allowed = seen.case.allowed
    if allowed is None:
        allowed = CLOSE < seen.exchange.status < 400
    if len(seen.entries) != int(allowed):
        yield f"O2: {len(seen.entries)} requests reached the upstream, {int(allowed)} should have"
    for entry in seen.entries:
        yield from _normal(seen, entry)


def _normal(seen: Seen, entry: Entry) -> Iterator[str]:
    decided = entry.all("x-policy-path")
    if decided and decided != [entry.target]:
        yield f"O2: the policy decided on {decided}, the upstream got {entry.target!r}"
    if re.search(r"//|/\.\.?(/|$)|\\|%2[fF]|%5[cC]|#", entry.path):
        yield f"O2: the upstream got a path that is not in normal form: {entry.path!r}"
    if not callable(seen.case.send):
        head, _, body = seen.exchange.sent.partition(b"\r\n\r\n")
        plain = b"chunked" not in head.lower() and len(body) <= entry.length
        if plain and len(seen.entries) == 1 and entry.length <= 1 << 20 and entry.body != body:
            yield f"O2: the upstream got another body: {entry.body[:80]!r}"


def alive(world: World, seen: Seen) -> Iterator[str]:
    """O3: the same processes as before, and a good request passes."""
    if seen.before.pids() != seen.after.pids():
        yield f"O3: processes were {seen.before.pids()} and are {seen.after.pids()}"
    good = world.good()
    if good.status != 200:
        yield f"O3: the good request got {good.status} ({good.end}) {good.rest[:200]!r}"


def bounded(world: World, seen: Seen) -> Iterator[str]:
    """O4: memory, descriptors and CPU of every process stay or come back."""
    for role, process in seen.after.roles.items():
        was = seen.before.roles.get(role, process)
        if process.rss - was.rss > seen.case.grows:
            yield f"O4: {role} grew by {(process.rss - was.rss) >> 20} MiB"
        if process.pid == was.pid and not _returns(process.pid, was.fds + DESCRIPTORS):
            yield f"O4: {role} had {was.fds} descriptors open and keeps {process.fds}"
    if busy := _busy(list(seen.after.pids().values())):
        yield f"O4: still busy {GRACE} s later: {busy}"


def _returns(pid: int, fds: int) -> bool:
    deadline = time.monotonic() + GRACE
    while (now := processes.read(pid)) and now.fds > fds:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _busy(pids: list[int], window: float = 0.03) -> dict[int, float]:
    """Processes that use most of a core, still so at the end of the grace."""
    deadline = time.monotonic() + GRACE
    while True:
        before = {pid: p.cpu for pid in pids if (p := processes.read(pid))}
        time.sleep(window)
        used = {pid: p.cpu - before[pid] for pid in before if (p := processes.read(pid))}
        busy = {pid: share for pid, share in used.items() if share > 0.7 * window + 0.01}
        if not busy or time.monotonic() > deadline:
            return busy
        window = 0.1


def answered(world: World, seen: Seen) -> Iterator[str]:
    """O5: one complete answer or a clean close, in time."""
    exchange = seen.exchange
    if not exchange.answers and exchange.end != "closed":
        yield f"O5: no complete answer, the connection ended {exchange.end}; got {exchange.rest[:200]!r}"
    elif exchange.answers and exchange.end == "silent" and exchange.rest:
        yield f"O5: an incomplete answer follows: {exchange.rest[:200]!r}"


LEAKS = re.compile(
    rb"Traceback|File \"|\.rego\b|\.py\b|/tmp/|site-packages|regopy|uvicorn|envoy/|x-envoy-|127\.0\.0\.1|::1|\b1\.40\b|"
    rb"upstream connect error|ext_authz|jwt_authn"
)


def honest(world: World, seen: Seen) -> Iterator[str]:
    """O6: refusals are problem documents with a stable code and nothing of the inside in them."""
    for answer in seen.exchange.answers:
        if answer.status < 400:
            continue
        kind = (answer.header("content-type") or "").split(";")[0]
        if kind != "application/problem+json":
            yield f"O6: {answer.status} is {kind or 'without a content type'}, not application/problem+json"
        if answer.header("x-content-type-options") != "nosniff":
            yield f"O6 (C08): browsers may take {answer.status} for something else than its media type says"
        if seen.case.method == "HEAD":
            continue
        if not isinstance(answer.code, str) or not re.fullmatch(r"[a-z][a-z0-9-]*", answer.code):
            yield f"O6: {answer.status} has no stable code: {answer.body[:200]!r}"
        if answer.problem.get("status", answer.status) != answer.status:
            yield f"O6: the document says {answer.problem.get('status')}, the status line {answer.status}"
        if leak := LEAKS.search(answer.raw):
            yield f"O6: the answer gives away {leak.group()!r}"


def no_fail_open(world: World, seen: Seen) -> Iterator[str]:
    """O8: nothing was let through because a check could not be made."""
    if opened := {name: count for name, count in world.failures().items() if count}:
        yield f"O8: {opened}"


ORACLES: tuple[Oracle, ...] = (expected, treasure, journal, alive, bounded, answered, honest, no_fail_open)
"""O7 is judged when the run is over (`explained`): exporters and log files are written in batches."""


def judge(world: World, seen: Seen) -> None:
    """Raise with what was sent, what came and every oracle that failed."""
    wrong = [sentence for oracle in ORACLES for sentence in oracle(world, seen)]
    if seen.case.check is not None:
        try:
            seen.case.check(world, seen.exchange)
        except AssertionError as error:
            wrong.append(f"check: {error}")
    if wrong:
        raise AssertionError(story(seen, wrong))


def story(seen: Seen, wrong: list[str]) -> str:
    """A case that failed, told in full."""
    lines = [f"{seen.case.id}", *(f"  wrong: {w}" for w in wrong), "  sent:"]
    lines += _lines(seen.exchange.sent)
    for answer in seen.exchange.answers or ():
        lines += ["  came:", *_lines(answer.raw)]
    lines.append(f"  then: {seen.exchange.end} after {seen.exchange.seconds:.3f} s, rest {seen.exchange.rest[:200]!r}")
    for entry in seen.entries:
        lines += ["  upstream got:", *_lines(entry.head + entry.wire)]
    return "\n".join(lines)


def _lines(data: bytes, limit: int = 1500) -> list[str]:
    shown = data if len(data) <= limit else data[:limit] + b" ... (%d bytes)" % len(data)
    return [f"    {line!r}" for line in shown.split(b"\r\n")]


def explained(world: World, patience: float = PATIENCE_S) -> list[str]:
    """O7 over the whole run: for each case a log line, and a server span with its trace id; what is missing.

    What is refused before there is a trace (`untraced`) must have a line too: at least as many as no traced case claims.
    """
    deadline = time.monotonic() + patience
    while (missing := _missing(world)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return missing


def _missing(world: World) -> list[str]:
    answered = [s for s in world.told if not callable(s.case.send) and s.exchange.answers]
    lines, spans = world.log(), {s.trace_id for s in world.collector.spans() if s.kind == SERVER}
    logged = {value for line in lines for value in line.values() if isinstance(value, str)}
    traced = [s for s in answered if not s.case.untraced]
    missing = [f"{s.case.id}: no log line with trace {s.trace}" for s in traced if s.trace not in logged]
    missing += [f"{s.case.id}: no server span with trace {s.trace}" for s in traced if s.trace not in spans]
    claimed = {s.trace for s in traced}
    others = sum("trace_id" in line and line["trace_id"] not in claimed for line in lines)
    if others < (count := len(answered) - len(traced) - sum("may be" in s.case.untraced for s in answered)):
        missing.append(
            f"{count} answers were refused before there was a trace, and only {others} log lines can be theirs"
        )
    return missing
