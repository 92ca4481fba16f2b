"""Files -> the documents of one contract, and what a reference in them leads to.

Nothing is opened here: a reference is looked up among the files that were given, or refused (RFC 3986 for its form).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urljoin

from xds.diagnostics import Diagnostic
from xds.model import Place
from xds.source import Blocks, Document, load
from xds.source.pointer import escape, step, tokens

from .node import Node
from .report import Report, suggestion

SCHEME = "sidegate:///"
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_FORBIDDEN = re.compile(r"[\\\x00-\x20\x7f]")
_ANCHOR = re.compile(r"[A-Za-z_][A-Za-z0-9._\-]*")
_IDS = (b"$id", b"$anchor", b"$dynamicAnchor", b"\\u00", b"\\x")  # or an escape that may stand for one of them
_UNSAFE = re.compile(r"[^A-Za-z0-9/~!$&'()*+,;=:@?._\-]+")  # what a fragment escapes (RFC 3986, 3.5)
_META = ("http://json-schema.org/", "https://json-schema.org/")
_NOT_SCHEMAS = frozenset({"example", "examples", "enum", "const", "default", "externalValue"})


@dataclass(slots=True)
class Loaded:
    """Documents kept between compiles, by file, with the bytes they were read from."""

    documents: dict[str, tuple[bytes, Document | None, tuple[Diagnostic, ...]]] = field(default_factory=dict)
    ids: dict[str, tuple[bytes, bool]] = field(default_factory=dict)
    blocks: dict[str, Blocks] = field(default_factory=dict)

    def load(self, file: str, data: bytes) -> tuple[Document | None, tuple[Diagnostic, ...]]:
        known = self.documents.get(file)
        if known is None or (known[0] is not data and known[0] != data):
            known = self.documents[file] = (data, *load(file, data, self.blocks.setdefault(file, Blocks())))
        return known[1], known[2]

    def may_have_ids(self, file: str, data: bytes) -> bool:
        """Whether a text may hold `$id`s or anchors."""
        known = self.ids.get(file)
        if known is None or known[0] is not data:
            known = self.ids[file] = data, any(word in data for word in _IDS)
        return known[1]


@dataclass(slots=True)
class Resource:
    """A document, or a schema with an `$id` of its own: what relative references and anchors are relative to."""

    uri: str
    root: Node
    anchors: dict[str, Node] = field(default_factory=dict)
    dynamic: dict[str, Node] = field(default_factory=dict)


class Library:
    """The documents that one contract has used so far. `with_ids` says that the dialect has `$id` and anchors."""

    def __init__(self, files: Mapping[str, bytes], root_file: str, loaded: Loaded) -> None:
        self.files, self.loaded = files, loaded
        self.top = "contracts/" if root_file.startswith("contracts/") else ""
        self.with_ids = False
        self.roots: dict[str, Node | None] = {}
        self.problems: list[Diagnostic] = []
        self.resources: dict[str, Resource] = {}  # by absolute URI without fragment
        self.documents: dict[str, Resource] = {}  # those of whole files, by file
        self.boundaries: dict[int, Resource] = {}  # by identity of a schema's value that has an `$id`
        self.report = Report()
        self.touched: set[str] = set()  # files that references have led to, or would have led to
        self.into_paths = False  # whether a reference leads into the root document's `paths`
        self.root_file = root_file

    def root(self, file: str) -> Node | None:
        """The root value of a file, loaded at first use; None if it cannot be read, which has become a problem."""
        if file not in self.roots:
            document, problems = self.loaded.load(file, self.files[file])
            self.problems.extend(problems)
            self.roots[file] = node = None if document is None else Node(document.value, file)
            if node is not None and self.with_ids:
                self.index(node)
        return self.roots[file]

    def index(self, root: Node) -> None:
        """Finds the `$id`s and anchors of a document."""
        if self.loaded.may_have_ids(root.file, self.files[root.file]):
            self._index(root, self.document(root.file))

    def named(self) -> bool:
        """Whether a schema has a name of its own: then what one file says can depend on any other."""
        return bool(self.boundaries) or any(r.anchors or r.dynamic for r in self.resources.values())

    def document(self, file: str) -> Resource:
        """The resource that a whole file is."""
        known = self.documents.get(file)
        if known is None:
            root, uri = self.roots[file], SCHEME + quote(file)
            assert root is not None
            known = self.documents[file] = self.resources.setdefault(uri, Resource(uri, root))
        return known

    def _index(self, node: Node, resource: Resource) -> None:
        value = node.value
        if type(value) is dict:
            own = value.get("$id")
            if type(own) is str and (node.parent is not None or node.file != self.root_file):
                resource = self._identified(node, own, resource)
            for keyword, table in (("$anchor", resource.anchors), ("$dynamicAnchor", resource.dynamic)):
                name = value.get(keyword)
                if type(name) is str:
                    self._anchor(node, keyword, name, resource, table)
        for key, child in (*node.members(), *((str(n.key), n) for n in node.items())):
            if type(child.value) in (dict, list) and key not in _NOT_SCHEMAS and not key.startswith("x-"):
                self._index(child, resource)

    def _identified(self, node: Node, own: str, outer: Resource) -> Resource:
        uri = urljoin(outer.uri, own) if not outer.uri.startswith(SCHEME) or _ABSOLUTE.match(own) else ""
        if not uri and not own.startswith("#"):
            uri = SCHEME + (_relative(outer.uri.removeprefix(SCHEME), own) or "")
        bare = uri.removesuffix("#")
        at = node.get("$id") or node
        if not bare or "#" in bare or _FORBIDDEN.search(bare) or bare == SCHEME:
            self.report.add("schema-id", "`$id` must be a URI without fragment", at)
            return outer
        known = self.resources.get(bare)
        if known is not None or bare.removeprefix(SCHEME) in self.files or bare.startswith(_META):
            twin = [(known.root, "first here")] if known is not None else []
            self.report.add("schema-id", f"another schema is called {bare!r} already", at, None, twin)
            return outer
        self.resources[bare] = self.boundaries[id(node.value)] = Resource(bare, node)
        return self.resources[bare]

    def _anchor(self, node: Node, keyword: str, name: str, resource: Resource, table: dict[str, Node]) -> None:
        if not _ANCHOR.fullmatch(name):
            self.report.add("schema-id", f"`{keyword}` must be a name of letters, digits, `-`, `_` and `.`", node)
        elif (twin := resource.anchors.get(name) or resource.dynamic.get(name)) is not None:
            if twin.value is not node.value:
                self.report.add("schema-id", f"the anchor {name!r} is here twice", node, None, [(twin, "first here")])
        else:
            table[name] = node

    def resource_of(self, node: Node) -> tuple[Resource, str]:
        """The innermost resource a value lies in, and its pointer there."""
        if self.boundaries:
            above: Node | None = node
            keys: list[str] = []
            while above is not None:
                resource = self.boundaries.get(id(above.value))
                if resource is not None and resource.root.file == above.file:
                    return resource, "".join(f"/{escape(key)}" for key in reversed(keys))
                keys.append(str(above.key))
                above = above.parent
        return self.document(node.file), node.pointer

    def uri(self, node: Node) -> str:
        """The URI of a lowered schema: its resource, and its whole pointer there as the one token of the fragment."""
        resource, pointer = self.resource_of(node)
        return f"{resource.uri}#/{_UNSAFE.sub(_quoted, escape(pointer))}"

    def at(self, place: Place) -> Node | None:
        """The value at a place in a file that is loaded, or None."""
        root = self.roots.get(place.file)
        return self._step(root, place.pointer, Report(), root) if root is not None else None

    def resolve(self, at: Node, reference: str, report: Report) -> Node | None:
        """What a `$ref` leads to, or None after a finding. `at` is the value that holds the `$ref`."""
        found = self.lookup(at, reference, report)
        return found[0] if found else None

    def lookup(self, at: Node, reference: str, report: Report) -> tuple[Node, str | None, Resource] | None:
        """As `resolve`, with the anchor's name if the fragment is one, and the resource that was reached."""
        where = at.get("$ref") or at.get("$dynamicRef") or at
        if _FORBIDDEN.search(reference):
            report.add("ref-remote", f"{_shown(reference)} is not a reference that Sidegate follows", where, _LOCAL)
            return None
        path, _, fragment = reference.partition("#")
        resource = self._resource(at, path, report, where)
        if resource is None:
            return None
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            node = resource.anchors.get(fragment) or resource.dynamic.get(fragment)
            if node is None:
                report.add("ref-unresolved", f"there is no anchor {_shown(fragment)}", where)
                return None
            return node, fragment, resource
        node = self._step(resource.root, fragment, report, where)
        return (node, None, resource) if node is not None else None

    def entries(self, node: Node, report: Report) -> Iterator[tuple[str, Node]]:
        """The members of a mapping of schemas. A `$ref` whose value is text leads to more of them.

        OpenAPI has no such reference; tools that bundle documents follow it, so that contracts rely on it. What stands
        beside it comes first.
        """
        for _ in range(16):
            reference = node.value.get("$ref") if type(node.value) is dict else None
            if not isinstance(reference, str):
                yield from node.members()
                return
            report.add("ref-misplaced", "a reference to a mapping of schemas is not OpenAPI; it is followed", node)
            yield from ((name, member) for name, member in node.members() if name != "$ref")
            target = self.resolve(node, reference, report)
            if target is None or report.expect(target, dict, "a mapping of schemas") is None:
                return
            node = target
        report.add("ref-cycle", "this reference leads back to itself", node)

    def permitted(self, at: Node, reference: str, report: Report) -> None:
        """A finding if a reference that is not followed is of a kind that never would be."""
        where, path = at.get("$ref") or at, reference.partition("#")[0]
        if _FORBIDDEN.search(reference):
            report.add("ref-remote", f"{_shown(reference)} is not a reference that Sidegate follows", where, _LOCAL)
        elif _ABSOLUTE.match(path) or path.startswith("//"):
            report.add("ref-remote", f"{_shown(path)} is not among the project's files", where, _LOCAL)
        elif path and ((named := _relative(quote(at.file), path)) is None or not named.startswith(self.top)):
            report.add("path-escapes", f"{_shown(path)} leads outside {self.top or 'the folder'}", where, _LOCAL)

    def _step(self, root: Node, pointer: str, report: Report, where: Node) -> Node | None:
        node = root
        if pointer.startswith("/paths") and root.file == self.root_file:
            self.into_paths = True
        for token in tokens(pointer):
            try:
                value: Any = step(node.value, token)
            except KeyError:
                near = suggestion(token, node.value) if type(node.value) is dict else None
                report.add("ref-unresolved", f"there is nothing at {_shown(pointer)} in {root.file}", where, near)
                return None
            node = Node(value, node.file, node, int(token) if type(node.value) is list else token)
        return node

    def _resource(self, at: Node, path: str, report: Report, where: Node) -> Resource | None:
        base = self.resource_of(at)[0]
        if not path:
            return base
        if _ABSOLUTE.match(path) or path.startswith("//") or not base.uri.startswith(SCHEME):
            known = self.resources.get(urljoin(base.uri, path))
            if known is None:
                report.add("ref-remote", f"{_shown(path)} is not among the project's files", where, _LOCAL)
            return known
        named = _relative(base.uri.removeprefix(SCHEME), path)
        if named is None or not named.startswith(self.top):
            report.add("path-escapes", f"{_shown(path)} leads outside {self.top or 'the folder'}", where, _LOCAL)
            return None
        self.touched.add(named)
        if named not in self.files:
            known = self.resources.get(SCHEME + quote(named))
            if known is None:
                files = [file for file in self.files if file.rpartition("/")[2][:1] == named.rpartition("/")[2][:1]]
                report.add("ref-unresolved", f"there is no file {_shown(named)}", where, suggestion(named, files))
            return known
        return self.document(named) if self.root(named) is not None else None


def _quoted(match: re.Match[str]) -> str:
    return quote(match[0], safe="")


_LOCAL = "references lead to files under contracts/, relative to the file they stand in"


def _relative(base: str, reference: str) -> str | None:
    """The file that a relative reference names, or None if it leads above the top (RFC 3986, 5.2.4)."""
    decoded = unquote(reference)
    if decoded.startswith("/") or "\\" in decoded or "\0" in decoded or "?" in reference or "%" in decoded:
        return None
    parts = unquote(base).split("/")[:-1]
    for part in decoded.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _shown(text: str) -> str:
    """A reference as a message quotes it: short, and without control characters."""
    return ascii(text if len(text) <= 100 else text[:97] + "...")
