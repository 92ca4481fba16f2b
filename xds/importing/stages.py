"""get-stages -> Stage: variables, throttling and cache of each stage; what of a stage has no equivalent is noted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from xds.importing.export import Method, NoExport
from xds.importing.part import Notes, Part

_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `name` is `default` for an HTTP API's `$default`. Both APIs' forms are read: `methodSettings` by
    `~1path/VERB`, and `RouteSettings` by `VERB /path`."""

    name: str
    part: Part

    @property
    def variables(self) -> dict[str, str]:
        found = self.part.get("variables").members or self.part.get("StageVariables").members
        return {key: value for key, value in found.items() if isinstance(value, str)}

    def setting(self, method: Method | None) -> Part:
        """The settings of a method, or those of all (None). Without any, a part without value."""
        if method is None:
            return self.part.get("methodSettings", "*/*") or self.part.get("DefaultRouteSettings")
        for key, part in self.part.get("methodSettings").items():
            path, _, verb = key.replace("~1", "/").rpartition("/")
            if "/" + path.strip("/") == method.path and verb.upper() == method.verb.upper():
                return part
        for key, part in self.part.get("RouteSettings").items():
            verb, _, path = key.partition(" ")
            if path == method.path and verb.upper() in ("ANY", method.verb.upper()):
                return part
        return Part(self.part.document, self.part.pointer, None)

    def throttle(self, method: Method | None) -> tuple[Part, float | None, float | None]:
        """Where it is said, rate a second and burst of a method's settings, or of those of all."""
        part = self.setting(method)
        if "ThrottlingRateLimit" in part.members or "ThrottlingBurstLimit" in part.members:
            return part, part.number("ThrottlingRateLimit"), part.number("ThrottlingBurstLimit")
        return part, part.number("throttlingRateLimit"), part.number("throttlingBurstLimit")


def read_stages(top: Part | None, notes: Notes) -> tuple[Stage, ...]:
    """The stages of `apigateway get-stages` or `apigatewayv2 get-stages`, each once."""
    if top is None:
        return ()
    listed = top.get("item") or top.get("Items") or top.get("items")
    if not isinstance(listed.value, list):
        raise NoExport(f"{top.document.file} lists no stages: it is what get-stages prints")
    found = []
    for part in listed.each():
        name = (part.text("stageName") or part.text("StageName")).lstrip("$")
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            found.append(Stage(name, part))
            _note(part, name, notes)
        else:
            help_ = "a name of letters, digits, - and _, with which sidegate.NAME.yaml and `--env NAME` are called"
            notes.lost(part, f"the stage '{name}' is left out: it cannot be called that", help_)
    return tuple(found)


_LOST = {
    "clientCertificateId": (
        "the certificate by which AWS tells the service who asks",
        "give the upstream a client certificate of your own (`tls` of the upstream in sidegate.yaml)",
    ),
    "webAclArn": ("the web ACL (AWS WAF)", "put a WAF in front; contract, limits and addresses are checked here"),
    "canarySettings": (
        "the canary release",
        "write the second deployment as a version of its own, and `split` on the operations",
    ),
}


def _note(part: Part, name: str, notes: Notes) -> None:
    for key, (what, instead) in _LOST.items():
        if found := part.get(key):
            notes.lost(found, f"stage {name}: {what} has no equivalent", instead)
    for key in ("accessLogSettings", "AccessLogSettings"):
        if found := part.get(key):
            notes.differs(found, f"stage {name}: the access log has Sidegate's own fields", "one JSON line a request")


def substituted(uri: str, stage: Stage | None) -> str:
    """A URI with the stage's variables in it; those that are not known stay."""
    known = stage.variables if stage else {}
    return _VARIABLE.sub(lambda found: known.get(found[1], found[0]), uri)


def unknown_variables(uri: str) -> list[str]:
    """The stage variables that are still in a URI."""
    return _VARIABLE.findall(uri)
