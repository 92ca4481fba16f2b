"""A process that compiles and decides with the embedded Rego engine; the one module that touches it.

It is run by its path, by an interpreter that has imported nothing (`python -I -S worker.py SITE FD`), since an engine that
cannot be interrupted has to be killed, and the next one started quickly. Frames in both directions are four bytes of
little-endian length, one byte that says what follows, and that. The parent writes one request and reads one answer.

    P  prepare   JSON {id, modules, data, entrypoints} -> K, or E and a text
    F  forget    four bytes of id                      -> K
    D  decide    four bytes of id, two of the entrypoint's index, the input as JSON -> T, N, U, V + JSON, C + text, E + text
    Q  query     JSON {modules, data, query, input}    -> T, N, U, V + JSON, C + text, E + text
    C  compile   JSON {modules, programs, data, entrypoints, names} -> V + JSON {plan, missing, refused}, or E + text

`programs` are the modules as they would be prepared; `refused` is why they could not be, or null. T and N are the values
true and false, U is undefined, V any other value, C a conflict, E an error.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

_HEAD = 5
_TRUE, _FALSE, _UNDEFINED = b'{"expressions":[true]}', b'{"expressions":[false]}', b"undefined"
_ESCAPED = b"\\"
Answer = tuple[bytes, bytes]


def _die_with_parent() -> None:
    """Linux kills this process when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG); elsewhere EOF does."""
    if sys.platform == "linux":
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


class Engine:
    """rego-cpp through the C functions that `regopy` binds, without its wrappers: they parse every answer as JSON.

    That JSON cannot be trusted: the engine writes strings that built-ins decoded without escaping them, so that a value
    could pretend to be a member of the result. Values other than true and false are read node by node.
    """

    def __init__(self) -> None:
        from regopy import interpreter, rego_shared

        rego_shared.rego_set_default_log_level(rego_shared.LogLevel.NONE)
        self.interpreter, self.rego = interpreter, rego_shared
        self.c: Any = rego_shared.rego
        self.prepared: dict[int, Prepared] = {}

    def fresh(self, modules: dict[str, str], data: Any, strict: bool = True) -> Any:
        """An interpreter that holds these modules and that data. Raises RegoError for what does not parse."""
        rego = self.interpreter.Interpreter()
        rego.strict_built_in_errors = strict
        for name, text in modules.items():
            rego.add_module(name, text)
        if data:
            rego.add_data_json(json.dumps(data, ensure_ascii=False))
        return rego

    def prepare(self, order: dict[str, Any]) -> Answer:
        rego = self.fresh(order["modules"], order["data"], order.get("strict", True))
        bundle = rego.build(None, order["entrypoints"])
        if not bundle.ok():
            return b"E", self.refusal(bundle).encode()
        self.prepared[order["id"]] = Prepared(self, rego, bundle, [e.encode() for e in order["entrypoints"]])
        return b"K", b""

    def compile(self, order: dict[str, Any]) -> Answer:
        rego = self.fresh(order["modules"], order["data"])
        missing = [name for name in order["names"] if not rego.is_builtin(name)]
        bundle = rego.build(None, order["entrypoints"])
        if not bundle.ok():
            return b"E", self.refusal(bundle).encode()
        with tempfile.TemporaryDirectory() as folder:
            rego.save_bundle(folder, bundle)
            with open(os.path.join(folder, "plan.json"), encoding="utf-8", errors="surrogateescape") as file:
                plan = json.load(file, strict=False)
        refused = self.rehearse(order) if order["programs"] != order["modules"] else None
        return b"V", json.dumps({"plan": plan, "missing": missing, "refused": refused}).encode()

    def query(self, order: dict[str, Any]) -> Answer:
        """One query over modules that are not prepared; `input`, where there is one, is the query whose value is the input."""
        rego = self.fresh(order["modules"], order["data"])
        if order.get("input"):
            found = json.loads(str(rego.query(order["input"])))
            rego = self.fresh(order["modules"], order["data"])
            rego.set_input_term(json.dumps(found["expressions"][0], ensure_ascii=False))
        output = rego.query(order["query"])
        if not output.ok():
            return _error(str(output))
        text = str(output)
        known = {_TRUE.decode(): b"T", _FALSE.decode(): b"N", _UNDEFINED.decode(): b"U"}
        return (known[text], b"") if text in known else (b"V", text.encode())

    def rehearse(self, order: dict[str, Any]) -> str | None:
        """Why `prepare` would refuse a bundle's programs; None if it takes them."""
        request = {"id": 0, "modules": order["programs"], "data": order["data"], "entrypoints": order["entrypoints"]}
        kind, said = self.answer(b"P", memoryview(json.dumps(request).encode()))
        return None if kind == b"K" else said.decode(errors="replace")

    def refusal(self, bundle: Any) -> str:
        """Why a bundle was not built, in the engine's words; never the address that its JSON is for an error."""
        return self.errors(bundle.node()._impl) or "the engine refuses the policies"

    def errors(self, root: Any) -> str:
        """The messages and codes in a tree that is not a result."""
        rego, said = self.rego, []
        wanted = (rego.NodeKind.ErrorMessage, rego.NodeKind.ErrorCode)
        todo = [root]
        while todo:
            node = todo.pop()
            kind = rego.rego_node_type(node)
            if kind in wanted:
                said.append(rego.rego_node_value(node))
            elif kind != rego.NodeKind.ErrorAst:
                todo += [rego.rego_node_get(node, i) for i in range(rego.rego_node_size(node))]
        return ": ".join(reversed(said))

    def answer(self, kind: bytes, payload: memoryview) -> Answer:
        """One request's answer. Everything that goes wrong is an E."""
        try:
            if kind == b"D":
                prepared = self.prepared[int.from_bytes(payload[:4], "little")]
                return prepared.decide(int.from_bytes(payload[4:6], "little"), bytes(payload[6:]))
            if kind == b"P":
                return self.prepare(json.loads(bytes(payload)))
            if kind == b"Q":
                return self.query(json.loads(bytes(payload)))
            if kind == b"C":
                return self.compile(json.loads(bytes(payload)))
            if kind == b"F":
                self.prepared.pop(int.from_bytes(payload[:4], "little"), None)
                return b"K", b""
            return b"E", b"unknown request"
        except Exception as e:  # noqa: BLE001 - whatever it is, the parent is waiting and refuses the request
            return b"E", f"{type(e).__name__}: {e}".encode(errors="replace")


class Prepared:
    """One bundle's plan, ready to be asked."""

    def __init__(self, engine: Engine, rego: Any, bundle: Any, entrypoints: list[bytes]) -> None:
        from ctypes import create_string_buffer

        self.engine, self.rego, self.bundle, self.entrypoints = engine, rego, bundle, entrypoints
        c = engine.c
        self.query, self.free_output, self.output_json = c.regoBundleQueryEntrypoint, c.regoFreeOutput, c.regoOutputJSON
        self.new_input, self.set_input, self.free_input = c.regoNewInput, c.regoSetInput, c.regoFreeInput
        self.add = _adder(c)
        self.text = create_string_buffer(64)

    def decide(self, entrypoint: int, text: bytes) -> Answer:
        """The value of an entrypoint for an input."""
        self.assign(text)
        output = self.query(self.rego._impl, self.bundle._impl, self.entrypoints[entrypoint])
        if not output:
            return b"E", b"the engine gave no result"
        try:
            return self._read(output)
        finally:
            self.free_output(output)

    def _read(self, output: int) -> Answer:
        if self.output_json(output, self.text, 64) == 0:
            value = self.text.value
            if value == _TRUE:
                return b"T", b""
            if value == _FALSE:
                return b"N", b""
            if value == _UNDEFINED:
                return b"U", b""
        rego = self.engine.rego
        text = rego.rego_output_string(output)
        if not rego.rego_output_ok(output) or not text.startswith('{"expressions":['):
            return _error(self.engine.errors(rego.rego_output_node(output)) or text)
        from regopy.output import Node

        expressions = Node(rego.rego_output_expressions_at_index(output, 0))
        return b"V", json.dumps(value_of(expressions.at(0), rego.NodeKind), ensure_ascii=False).encode()

    def assign(self, text: bytes) -> None:
        """Give the engine an input, from JSON. Strings go in as JSON spells them with the fewest escapes (tokens.canonical).

        Term by term this takes a quarter of the time that the engine needs to parse the same JSON.
        """
        value = json.loads(text)
        input_ = self.new_input()
        try:
            self.add(input_, value, _escape if _ESCAPED in text else str.encode)
            if self.set_input(self.rego._impl, input_):
                raise ValueError("the engine refuses the input")
        except _NumberTooFine:
            self.rego.set_input_term(json.dumps(value, ensure_ascii=False))
        finally:
            self.free_input(input_)


def _adder(c: Any) -> Callable[[int, Any, Callable[[str], bytes]], None]:
    """The function that adds a JSON value to an engine's input; one closure, since this is most of a decision's time."""
    string, item, object_, array = c.regoInputString, c.regoInputObjectItem, c.regoInputObject, c.regoInputArray

    def add(p: int, value: Any, encode: Callable[[str], bytes]) -> None:
        kind = type(value)
        if kind is str:
            string(p, encode(value))
        elif kind is dict:
            for key, member in value.items():
                string(p, encode(key))
                if type(member) is str:
                    string(p, encode(member))
                else:
                    add(p, member, encode)
                item(p)
            object_(p, len(value))
        elif kind is list:
            for element in value:
                add(p, element, encode)
            array(p, len(value))
        else:
            _add_scalar(c, p, value)

    return add


def _add_scalar(c: Any, p: int, value: Any) -> None:
    kind = type(value)
    if kind is bool:
        c.regoInputBoolean(p, value)
    elif value is None:
        c.regoInputNull(p)
    elif kind is int and -(2**63) <= value < 2**63:
        c.regoInputInt(p, value)
    elif kind is float and float(f"{value:f}") == value:
        c.regoInputFloat(p, value)
    else:
        raise _NumberTooFine


class _NumberTooFine(Exception):
    """A number that the engine keeps exactly only in JSON: it prints doubles with six decimals and counts in 64 bits."""


def _escape(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()


def value_of(node: Any, kinds: Any) -> Any:
    """A result node as plain data. Sets become arrays; object keys that are no strings become their JSON."""
    kind = node.kind
    if kind in (kinds.Term, kinds.Scalar):
        return value_of(node.at(0), kinds)
    if kind == kinds.Object:
        items = [node_child(node, i) for i in range(_size(node))]
        return {_key(value_of(item.at(0), kinds)): value_of(item.at(1), kinds) for item in items}
    if kind == kinds.Array:
        return [value_of(node_child(node, i), kinds) for i in range(_size(node))]
    if kind == kinds.Set:
        return sorted((value_of(node_child(node, i), kinds) for i in range(_size(node))), key=_order)
    if kind == kinds.String:
        return _unescape(_unquoted(node))
    return node.value


def _unquoted(node: Any) -> str:
    """A string node's text. Constants of the plan keep their quotes, which the node's JSON then does not double."""
    text = str(node.value)
    return text[1:-1] if text[:1] == '"' and node.json() == text else text


def _size(node: Any) -> int:
    from regopy.rego_shared import rego_node_size

    return int(rego_node_size(node._impl))


def node_child(node: Any, index: int) -> Any:
    """A node's child by position (regopy's own `Node` looks objects and sets up by key)."""
    from regopy.output import Node
    from regopy.rego_shared import rego_node_get

    return Node(rego_node_get(node._impl, index))


def _order(value: Any) -> tuple[int, Any]:
    """OPA's order of values: null, booleans, numbers, strings, arrays, objects."""
    if isinstance(value, list):
        return 4, [_order(v) for v in value]
    if isinstance(value, dict):
        return 5, [(k, _order(v)) for k, v in sorted(value.items())]
    ranks = ((type(None), 0), (bool, 1), (int | float, 2), (str, 3))
    return next(rank for kind, rank in ranks if isinstance(value, kind)), 0 if value is None else value


def _key(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _unescape(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def _error(text: str) -> Answer:
    return (b"C" if "conflict" in text else b"E"), text.encode(errors="replace")[:4000]


def _receive(fd: int, size: int) -> bytes:
    chunks = b""
    while len(chunks) < size:
        chunk = os.read(fd, max(size - len(chunks), 65536) if not chunks and size == _HEAD else size - len(chunks))
        if not chunk:
            raise EOFError
        chunks += chunk
    return chunks


def serve(fd: int, answer: Callable[[bytes, memoryview], Answer]) -> None:
    """Answer requests on a socket until its other end is closed."""
    try:
        while True:
            data = _receive(fd, _HEAD)
            size = int.from_bytes(data[:4], "little")
            if len(data) < _HEAD + size:
                data += _receive(fd, _HEAD + size - len(data))
            kind, payload = answer(data[4:5], memoryview(data)[_HEAD:])
            frame = len(payload).to_bytes(4, "little") + kind + payload
            while frame:
                frame = frame[os.write(fd, frame) :]
    except (EOFError, ConnectionError):
        return


if __name__ == "__main__":
    _die_with_parent()
    sys.path.append(sys.argv[1])
    serve(int(sys.argv[2]), Engine().answer)
