"""Parameter -> prepared reading and check of its text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xds.model import Location, Parameter

from .content import content_reading
from .explain import Checked, Checks
from .report import Report, pointer
from .styles import readings
from .text import Decode, Malformed, as_sent, form_decoded, percent_decoded

UNESCAPE: dict[Location, Decode] = {
    Location.PATH: percent_decoded,
    Location.QUERY: form_decoded,
    Location.HEADER: as_sent,
    Location.COOKIE: percent_decoded,
    Location.QUERYSTRING: form_decoded,
}

Reading = Callable[[Any], Any]


class Field:
    """One parameter, or one field of a form, prepared: how its text is read, and the check of what comes out.

    `how` lists the readings to try, until one conforms; what is reported is what was wrong with the first.
    """

    __slots__ = ("_is_valid", "_readings", "allow_empty", "check", "first", "location", "name", "pointer", "required")

    def __init__(self, parameter: Parameter, location: str, how: tuple[Reading, ...], check: Checked | None) -> None:
        self.name = parameter.name
        self.location = location
        self.pointer = pointer((parameter.name,))
        self.required = parameter.required
        self.allow_empty = parameter.allow_empty
        self.check = check
        self.first = how[0]
        self._readings = how
        self._is_valid = check.is_valid if check else None

    def judge(self, raw: Any, into: dict[str, Any], report: Report) -> None:
        """Read `raw` into `into[name]`, or report why not."""
        try:
            value = self.first(raw)
        except Malformed:
            self._reconsider(raw, into, report)
            return
        if self._is_valid is None or self._is_valid(value):
            into[self.name] = value
        else:
            self._reconsider(raw, into, report)

    def _reconsider(self, raw: Any, into: dict[str, Any], report: Report) -> None:
        wrong: list[Any] = []
        malformed: Malformed | None = None
        for reading in self._readings:
            try:
                value = reading(raw)
            except Malformed as error:
                malformed = malformed or error
                continue
            if self._is_valid is None or self._is_valid(value):
                into[self.name] = value
                return
            wrong.append(value)
        if wrong and self.check:
            report.add_findings(self.location, self.pointer, self.check, wrong[0], len(str(raw)))
        elif malformed:
            self.refuse(report, malformed.code, malformed.detail)

    def refuse(self, report: Report, code: str, detail: str) -> None:
        """Report a violation of the parameter as a whole."""
        if code == "malformed-parameter" and self.location == "body":
            code = "malformed-form"
        report.add(self.location, self.pointer, code, detail)

    def absent(self, report: Report) -> None:
        """Report that the parameter is not there, if it has to be."""
        if self.required:
            self.refuse(report, "missing-parameter", "is required")


def text_field(parameter: Parameter, checks: Checks) -> Field:
    """A parameter whose value is one text: in path, header and cookie, and in the query unless exploded."""
    unescape = as_sent if parameter.style == "cookie" else UNESCAPE[parameter.location]
    how: tuple[Reading, ...]
    if parameter.media_type is not None:
        how = (content_reading(parameter.media_type, parameter.shape, unescape),)
    else:
        how = readings(parameter, unescape)
    location = "query" if parameter.location is Location.QUERYSTRING else parameter.location.value
    return Field(parameter, location, how, checks.check(parameter.schema))
