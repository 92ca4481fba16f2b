"""Parameters of an operation: asked for anew, not taken any more, written in another way."""

from __future__ import annotations

from xds.contract.node import Node
from xds.model import Location, Name, Operation, Parameter

from . import lifecycle
from .comparison import Comparison
from .subjects import Kind, Subject

_Key = tuple[str, str]


def compare(work: Comparison, old: Operation, new: Operation) -> None:
    """Parameters by location and name; those of the path by their position, since their names are nobody's business."""
    before, after = _by_key(old), _by_key(new)
    for key, parameter in before.items():
        other = after.get(key)
        if other is None:
            _removed(work, parameter, new)
        else:
            _both(work, parameter, other)
    for key, parameter in after.items():
        if key not in before and parameter.required:
            at = work.old.at(old.place)
            words = f"{_words(parameter)} is new and must be sent"
            work.add("new-required-request-parameter", words, at.get("parameters") or at, parameter.place)
    if old.query_open and not new.query_open:
        words = "query parameters that are not described are refused now"
        work.add("request-query-closed", words, old.place, new.place)


def _by_key(operation: Operation) -> dict[_Key, Parameter]:
    names = [p.name for segment in operation.path.segments for p in segment.parts if isinstance(p, Name)]
    found: dict[_Key, Parameter] = {}
    for parameter in operation.parameters:
        inside = parameter.location is Location.PATH and parameter.name in names
        found[str(parameter.location), str(names.index(parameter.name)) if inside else parameter.name] = parameter
    return found


def _words(parameter: Parameter) -> str:
    return f"{parameter.location} parameter {parameter.name}"


def _removed(work: Comparison, parameter: Parameter, new: Operation) -> None:
    """What is not described any more is refused in a query unless the contract opens it; elsewhere it is passed."""
    node, after = work.old.at(parameter.place), work.new.at(new.place)
    at = after.get("parameters") or after
    deprecated = (flag := node.get("deprecated")) is not None and flag.value is True
    if deprecated and (sunset := node.get("x-sunset")) is not None:
        gone = lifecycle.moment_of(sunset)
        if gone is None:
            work.add(
                "request-parameter-sunset-parse", f"{_words(parameter)} is gone, its x-sunset is no date", sunset, at
            )
        elif gone > work.now:
            words = f"{_words(parameter)} is gone before its sunset of {sunset.value}"
            work.add("request-parameter-removed-before-sunset", words, sunset, at)
        return
    if parameter.location is Location.QUERY and not new.query_open:
        work.add("request-parameter-removed", f"{_words(parameter)} is gone, and refused", node, at)
    elif parameter.location is not Location.PATH:
        work.add("request-parameter-ignored", f"{_words(parameter)} is gone, and not looked at", node, at)


def _both(work: Comparison, old: Parameter, new: Parameter) -> None:
    before, after = work.old.at(old.place), work.new.at(new.place)
    words = _words(old)
    if new.required and not old.required:
        work.add(
            "request-parameter-became-required", f"{words} must be sent now", before, after.get("required") or after
        )
    if old.allow_empty and not new.allow_empty:
        at = before.get("allowEmptyValue") or before
        work.add("request-parameter-empty-value-refused", f"{words} must not be empty now", at, after)
    _lifecycle(work, before, after, words)
    if old.media_type != new.media_type:
        first, second = (p.media_type or f"style {p.style}" for p in (old, new))
        message = f"{words} is written as {second}, and was as {first}"
        work.add("request-parameter-content-changed", message, _content(before), _content(after))
    elif _written(old, new):
        first, second = (f"style {p.style}, explode {str(p.explode).lower()}" for p in (old, new))
        message = f"{words} is written in another way: {first} became {second}"
        at = after.get("style") or after.get("explode") or after
        work.add("request-parameter-style-changed", message, before.get("style") or before.get("explode") or before, at)
    subject = Subject(Kind.PARAMETER, words, old.location is Location.HEADER)
    schemas = work.old.schema(old.schema), work.new.schema(new.schema)
    work.schemas(subject, *schemas, (before, after), text=old.media_type is None)


def _lifecycle(work: Comparison, before: Node, after: Node, words: str) -> None:
    was, is_ = before.get("x-sunset"), after.get("x-sunset")
    deprecated = [(flag := node.get("deprecated")) is not None and flag.value is True for node in (before, after)]
    if not deprecated[1]:
        return
    if is_ is not None and lifecycle.moment_of(is_) is None and (was is None or was.value != is_.value):
        work.add("request-parameter-sunset-parse", f"x-sunset of {words} is no date", was or before, is_)
    elif deprecated[0] and was is not None and is_ is None:
        work.add("request-parameter-sunset-deleted", f"x-sunset of {words} is gone", was, after)
    elif deprecated[0] and was is not None and is_ is not None:
        first, second = lifecycle.moment_of(was), lifecycle.moment_of(is_)
        if first is not None and second is not None and second < first:
            message = f"the sunset of {words} of {was.value} became {is_.value}, which is earlier"
            work.add("request-parameter-sunset-date-changed-too-small", message, was, is_)


def _content(node: Node) -> Node:
    return node.get("content") or node.get("schema") or node


def _written(old: Parameter, new: Parameter) -> bool:
    """Whether a client writes the text in another way; `explode` says something of lists and objects only."""
    if old.style != new.style:
        return True
    structured = bool({"array", "object"} & old.shape.types) and len(old.shape.types) < 7
    return structured and old.explode != new.explode
