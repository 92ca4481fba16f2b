"""Worker processes: one request at a time each, killed at a deadline, replaced by a warm spare."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from .process import HEAD, frame, spawn

_PREPARE_SECONDS = 30.0
_RETRY_SECONDS = 1.0
_SEND_BUFFER = 1 << 20
Answer = tuple[bytes, bytes]

TIMEOUT: Answer = (b"!", b"timeout")
GONE: Answer = (b"!", b"gone")
BUSY: Answer = (b"!", b"busy")
_TROUBLE = {TIMEOUT: "it takes too long to load", GONE: "the policy engine crashes on it"}


class PrepareError(Exception):
    """A worker refused a bundle."""


class Worker:
    """One process. `ask` is for whoever took it from the pool; nothing is checked here."""

    __slots__ = ("answered", "buffer", "decisions", "held", "loop", "on_gone", "pending", "process", "sock")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_gone: Callable[[Worker], None]) -> None:
        self.loop, self.on_gone = loop, on_gone
        self.process: subprocess.Popen[bytes]
        self.process, self.sock = spawn()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self.buffer = b""
        self.pending: bytes | memoryview = b""
        self.answered: asyncio.Future[Answer] | None = None
        self.held: set[int] = set()
        self.decisions = 0
        loop.add_reader(self.sock.fileno(), self._readable)

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request; the future is its answer, or GONE if the process ends first."""
        self.answered = self.loop.create_future()
        try:
            sent = self.sock.send(request)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(request)  # the reader sees the end of the stream next, and says so
        if sent < len(request):
            self.pending = memoryview(request)[sent:]
            self.loop.add_writer(self.sock.fileno(), self._writable)
        return self.answered

    def _writable(self) -> None:
        try:
            self.pending = self.pending[self.sock.send(self.pending) :]
        except BlockingIOError:
            return
        except OSError:
            self.pending = b""
        if not self.pending:
            self.loop.remove_writer(self.sock.fileno())

    def _readable(self) -> None:
        try:
            data = self.sock.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end()
            self.on_gone(self)
            return
        if self.buffer:
            data = self.buffer + data
        if len(data) < HEAD or len(data) < HEAD + int.from_bytes(data[:4], "little"):
            self.buffer = data
            return
        self.buffer = b""
        if self.answered is not None and not self.answered.done():
            self.answered.set_result((data[4:5], data[HEAD:]))

    def end(self) -> None:
        """Kill the process. Who waits for it receives GONE."""
        if self.sock.fileno() >= 0:
            self.loop.remove_reader(self.sock.fileno())
            self.loop.remove_writer(self.sock.fileno())
            self.sock.close()
        self.process.kill()
        if self.answered is not None and not self.answered.done():
            self.answered.set_result(GONE)


class Pool:
    """`size` workers and a spare, and the bundles that each must hold before it is asked anything.

    `deadline` (s) bounds how long a request may run; it may wait for a worker twice as long, so that requests behind one
    that overstays live to see it killed; `queue` is how many may wait.
    After `recycle_after` decisions a worker is replaced. New bundles go to one worker after the other, since one that
    compiles a bundle answers nothing meanwhile: the spare first, which then stands in for the next. A pool belongs to one
    event loop, and to its thread: on Linux the processes die with it.
    """

    def __init__(self, size: int, deadline: float, queue: int, recycle_after: int) -> None:
        self.size, self.deadline, self.queue, self.recycle_after = size, deadline, queue, recycle_after
        self.loop = asyncio.get_running_loop()
        self.orders: dict[int, bytes] = {}
        self.asked: frozenset[int] = frozenset()  # the bundles that requests may be for
        self.renewed: Worker | None = None  # the one that could answer, and is given a bundle instead
        self.workers: set[Worker] = set()
        self.idle: list[Worker] = []
        self.spare: Worker | None = None
        self.waiting: deque[asyncio.Future[Worker]] = deque()
        self.tasks: set[asyncio.Task[None]] = set()
        self.ended: list[subprocess.Popen[bytes]] = []
        self.closed = False
        for _ in range(size + 1):
            self._spawn()

    async def decide(self, request: bytes) -> Answer:
        """A worker's answer to one request: at worst BUSY, TIMEOUT or GONE."""
        worker = self.idle.pop() if self.idle else await self._turn()
        if worker is None:
            return BUSY
        worker.decisions += 1
        answer = worker.ask(request)
        timer = self.loop.call_later(self.deadline, self._overstayed, worker, answer)
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.cancelled():
                self._task(self._drain(worker))
                worker = None
            raise
        finally:
            timer.cancel()
            if worker in self.workers:
                self._release(worker)

    async def load(self, orders: Mapping[int, bytes]) -> dict[int, str]:
        """Make every worker hold these bundles too, but for those that one refuses: returned are their numbers, and why.

        One worker tries them all first, so that a bundle which is refused, or kills, disturbs no other worker and no other
        bundle. Raises PrepareError if the pool is closed.
        """
        refused = {}
        first = await self._any()
        for number, order in orders.items():
            for _ in range(2):
                if first not in self.workers:
                    first = await self._any()
                answer = await self._try(first, order)
                if answer is not GONE:  # else once more, since something else may have killed it
                    break
            if answer[0] == b"K":
                first.held.add(number)
            else:
                refused[number] = _TROUBLE.get(answer) or answer[1].decode(errors="replace")
        self.orders = {**self.orders, **{n: order for n, order in orders.items() if n not in refused}}
        self._release(first)
        while any(worker.held != self.orders.keys() for worker in self.workers):
            self._refresh_idle()
            await asyncio.sleep(0.002)
        self.asked = frozenset(self.orders)
        return refused

    async def _try(self, worker: Worker, order: bytes) -> Answer:
        """What a worker says to a bundle. One that overstays or crashes is replaced."""
        answer = worker.ask(frame(b"P", order))
        timer = self.loop.call_later(_PREPARE_SECONDS, self._overstayed, worker, answer)
        try:
            return await answer
        finally:
            timer.cancel()

    def drop(self, numbers: set[int]) -> None:
        """Let go of bundles that no new request asks for, once those that may still wait or run have ended."""
        self.loop.call_later(4 * self.deadline, self._drop, numbers)

    def _drop(self, numbers: set[int]) -> None:
        self.orders = {number: order for number, order in self.orders.items() if number not in numbers}
        self.asked -= numbers
        self._refresh_idle()

    async def close(self) -> None:
        """End all processes. Requests under way receive GONE."""
        self.closed = True
        for worker in list(self.workers):
            self._forget(worker)
            worker.end()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for process in self.ended:
            await asyncio.to_thread(process.wait)

    async def _turn(self) -> Worker | None:
        """The next worker that becomes free, within the deadline and if not too many wait already."""
        if self.closed or len(self.waiting) >= self.queue:
            return None
        turn: asyncio.Future[Worker] = self.loop.create_future()
        self.waiting.append(turn)
        try:
            async with asyncio.timeout(2 * self.deadline):
                return await turn
        except BaseException as e:
            if turn.done() and not turn.cancelled():
                self._release(turn.result())
            elif turn in self.waiting:
                self.waiting.remove(turn)
            if isinstance(e, TimeoutError):
                return None
            raise

    async def _any(self) -> Worker:
        """A worker to try a bundle on: the spare if there is one, else whichever is free first."""
        while True:
            if self.spare is not None:
                worker, self.spare = self.spare, None
                return worker
            if self.idle:
                return self.idle.pop()
            if self.closed:
                raise PrepareError("the engine is closed")
            await asyncio.sleep(0.002)

    async def _drain(self, worker: Worker) -> None:
        """See a request to its end that nobody waits for."""
        answer = worker.answered = self.loop.create_future()
        timer = self.loop.call_later(self.deadline, self._overstayed, worker, answer)
        await answer
        timer.cancel()
        if worker in self.workers:
            self._release(worker)

    def _overstayed(self, worker: Worker, answer: asyncio.Future[Answer]) -> None:
        if not answer.done():
            answer.set_result(TIMEOUT)
            self._replace(worker)

    def _release(self, worker: Worker) -> None:
        """Give a worker to who waits first, or keep it; one that is worn out or lacks a bundle is seen to."""
        if worker not in self.workers:
            return
        if worker.held != self.orders.keys() and self._may_renew(worker):
            self._renew(worker)
        elif worker.decisions >= self.recycle_after and self.spare is not None:
            self._replace(worker)
        elif self.spare is None and self.renewed is None and len(self.workers) > self.size and not self.waiting:
            self.spare = worker
        else:
            self._offer(worker)

    def _offer(self, worker: Worker) -> None:
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(worker)
                return
        self.idle.append(worker)

    def _replace(self, worker: Worker, after: float = 0.0) -> None:
        """End a worker; the spare takes its place at once, and a new spare is started (`after` so many seconds)."""
        if worker not in self.workers:
            return
        self._forget(worker)
        worker.end()
        if self.spare is not None:
            spare, self.spare = self.spare, None
            self._offer(spare)
        self.loop.call_later(after, self._spawn) if after else self._spawn()

    def _forget(self, worker: Worker) -> None:
        self.workers.discard(worker)
        if worker in self.idle:
            self.idle.remove(worker)
        if worker is self.spare:
            self.spare = None
        self.ended = [p for p in (*self.ended, worker.process) if p.poll() is None]

    def _spawn(self) -> None:
        if self.closed or len(self.workers) > self.size:
            return
        try:
            worker = Worker(self.loop, self._replace)
        except OSError:
            self.loop.call_later(_RETRY_SECONDS, self._spawn)
            return
        self.workers.add(worker)
        self._task(self._prepare(worker))

    def _task(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _refresh_idle(self) -> None:
        for worker in (*filter(None, [self.spare]), *self.idle):
            if worker.held != self.orders.keys() and self._may_renew(worker):
                if worker is self.spare:
                    self.spare = None
                else:
                    self.idle.remove(worker)
                self._renew(worker)

    def _may_renew(self, worker: Worker) -> bool:
        """Whether no other is away for this, or it could answer nothing that is asked anyhow."""
        return self.renewed is None or not self.asked or not self.asked <= worker.held

    def _renew(self, worker: Worker) -> None:
        """Have it prepared; the spare, if there is one, answers in its place."""
        if self.asked and self.asked <= worker.held:
            self.renewed = worker
            if self.spare is not None:
                spare, self.spare = self.spare, None
                self._offer(spare)
        self._task(self._prepare(worker))

    async def _prepare(self, worker: Worker) -> None:
        """Give a worker what it lacks and take what it need not hold any more; then release it."""
        try:
            await self._settle(worker)
        except PrepareError:
            return
        finally:
            if self.renewed is worker:
                self.renewed = None
        self._release(worker)

    async def _settle(self, worker: Worker) -> None:
        """Bring one worker to what `orders` asks for. Raises PrepareError, after replacing it, if it cannot be."""
        while worker.held != self.orders.keys():
            lacking, extra = self.orders.keys() - worker.held, worker.held - self.orders.keys()
            number = min(lacking or extra)
            request = frame(b"P", self.orders[number]) if lacking else frame(b"F", number.to_bytes(4, "little"))
            answer = worker.ask(request)
            timer = self.loop.call_later(_PREPARE_SECONDS, self._overstayed, worker, answer)
            kind, payload = await answer
            timer.cancel()
            if kind != b"K":
                self._replace(worker, _RETRY_SECONDS)
                raise PrepareError(payload.decode(errors="replace"))
            worker.held ^= {number}
