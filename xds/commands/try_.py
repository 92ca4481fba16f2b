"""`sidegate try`: requests and the status that each has to have -> whether they had it."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

_ASKED = re.compile(r"([A-Z]+) (/\S*) ([1-5][0-9]{2})")
_PAUSE = 0.5
_LARGEST = 65_536


@dataclass(frozen=True, slots=True)
class Trial:
    """A request, and the status of its answer."""

    method: str
    path: str
    expected: int


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument("url", metavar="URL", help="where the service is, as http://catalog")
    parser.add_argument("request", nargs="+", metavar="'METHOD /path STATUS'", help="as 'GET /catalog/v1/items 401'")
    parser.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'", help="with every request")
    parser.add_argument("--within", type=float, default=30, metavar="S", help="wait so long for anybody to listen")
    parser.epilog = "Exit codes: 0 all had it, 1 one had another, 2 usage, 3 nobody answered."


def run(options: argparse.Namespace) -> int:
    """Ask each, and print what came. Returns 1 if a status is not the expected one."""
    from xds.failure import Misused

    if not options.url.startswith(("http://", "https://")):
        raise Misused(f"'{options.url}' is no http:// or https:// URL")
    trials = [_trial(text) for text in options.request]
    headers = dict(_header(text) for text in options.header)
    end = time.monotonic() + options.within
    wrong = 0
    for trial in trials:
        status, code = _ask(options.url.rstrip("/"), trial, headers, end)
        ok = status == trial.expected
        wrong += not ok
        said = f"{status} {code}".rstrip()
        print(f"{'ok ' if ok else 'NOT'} {trial.method} {trial.path}: {said}{'' if ok else f', not {trial.expected}'}")
    if wrong:
        print(f"{wrong} of {len(trials)} were answered otherwise", file=sys.stderr)
    return int(wrong > 0)


def _trial(text: str) -> Trial:
    from xds.failure import Misused

    if not (found := _ASKED.fullmatch(text)):
        raise Misused(f"'{text}' is not 'METHOD /path STATUS'")
    return Trial(found[1], found[2], int(found[3]))


def _header(text: str) -> tuple[str, str]:
    from xds.failure import Misused

    name, colon, value = text.partition(":")
    if not (colon and name.strip()):
        raise Misused(f"'{text}' is not 'NAME: VALUE'")
    return name.strip(), value.strip()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *asked: object) -> None:
        """A redirect is an answer like any other."""


def _ask(url: str, trial: Trial, headers: dict[str, str], end: float) -> tuple[int, str]:
    """Status and problem code. Asked again while nobody listens, until `end`; raises CannotRun then."""
    from xds.failure import CannotRun

    request = urllib.request.Request(url + trial.path, method=trial.method, headers=headers)
    opener = urllib.request.build_opener(_Stay, urllib.request.ProxyHandler({}))
    while True:
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, ""
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, _code(answer.read(_LARGEST))
        except OSError as error:
            if time.monotonic() > end:
                raise CannotRun(f"{trial.method} {url}{trial.path}: nobody answered ({error})") from error
            time.sleep(_PAUSE)


def _code(body: bytes) -> str:
    """The `code` of a problem document (RFC 9457), if it is one."""
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    return str(found.get("code", "")) if isinstance(found, dict) else ""
