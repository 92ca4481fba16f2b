"""Login for browsers: there and back by way of a real provider, a session in cookies, out again; and who is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.e2e.processes import Admin
from tests.e2e.tokens import Issuer
from tests.features.hop import Hop, contract, operation, serve

SECRET = secrets.token_urlsafe(32)
PAGE = {"accept": "text/html"}


@dataclass
class Provider:
    """A small OpenID provider: whoever comes to `/authorize` is ada. It checks client, secret, code and PKCE."""

    issuer: Issuer
    server: HTTPServer
    codes: dict[str, str] = field(default_factory=dict)
    given: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def authorize(self, request: Request) -> Response:
        if request.args.get("client_id") != "gateway" or request.args.get("response_type") != "code":
            return Response("who?", 400)
        code = secrets.token_urlsafe(16)
        self.codes[code] = request.args.get("code_challenge", "")
        back = urlencode({"code": code, "state": request.args["state"]})
        return Response("", 302, {"location": f"{request.args['redirect_uri']}?{back}"})

    def token(self, request: Request) -> Response:
        credentials = base64.b64encode(f"gateway:{SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {credentials}":
            self.wrong.append("client")
            return Response("", 401)
        challenge = self.codes.pop(request.form.get("code", ""), None)
        verifier = hashlib.sha256(request.form.get("code_verifier", "").encode()).digest()
        if challenge is None or challenge != base64.urlsafe_b64encode(verifier).rstrip(b"=").decode():
            self.wrong.append("code")
            return Response("", 400)
        self.given.append(self.issuer.token(sub="ada", scope="pets:read"))
        answer = {"access_token": self.given[-1], "token_type": "Bearer", "expires_in": 600}
        return Response(json.dumps(answer), 200, {"content-type": "application/json"})


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    server = HTTPServer("127.0.0.1", threaded=True)
    made = Provider(Issuer("https://login.test"), server)
    server.expect_request("/authorize").respond_with_handler(made.authorize)
    server.expect_request("/token").respond_with_handler(made.token)
    server.start()
    yield made
    server.stop()


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Hop]:
    at = f"http://127.0.0.1:{provider.server.port}"
    login = {
        "clientId": "gateway",
        "secret": {"file": "keys/login-secret"},
        "authorize": f"{at}/authorize",
        "token": f"{at}/token",
        "redirect": "/login/callback",
        "signout": "/logout",
    }
    browser = {"issuer": "https://login.test", "audiences": ["ref"], "jwks": {"file": "keys/login.json"}}
    schemes = {"browser": {"type": "openIdConnect", "openIdConnectUrl": "https://login.test/c"}}
    paths = {
        "/page": {"get": operation(security=[{"browser": ["pets:read"]}])},
        "/admin": {"get": operation(security=[{"browser": ["pets:admin"]}])},
        "/open": {"get": operation()},
    }
    files = {"keys/login-secret": SECRET + "\n", "keys/login.json": provider.issuer.jwks()}
    document = contract(paths, components={"securitySchemes": schemes})
    settings = {"security": {"browser": {**browser, "login": login}}}
    with serve(tmp_path_factory.mktemp("login"), document, settings=settings, files=files) as running:
        yield running


class Browser:
    """Cookies and redirects as a browser has them; over plain HTTP, where httpx would not send `Secure` cookies."""

    def __init__(self, hop: Hop) -> None:
        self.hop, self.cookies = hop, SimpleCookie()

    def get(self, url: str, **headers: str) -> httpx.Response:
        cookies = "; ".join(f"{name}={cookie.value}" for name, cookie in self.cookies.items() if cookie.value)
        sent = {**PAGE, **headers, **({"cookie": cookies} if cookies else {})}
        answer = self.hop.client.get(url, headers=sent)
        for line in answer.headers.get_list("set-cookie"):
            self.cookies.load(line)
            for name in SimpleCookie(line):
                if "deleted" in line or "Max-Age=0" in line:
                    self.cookies.pop(name, None)
        return answer

    def log_in(self, path: str) -> httpx.Response:
        away = self.get(path)
        assert away.status_code == 302, away.text
        back = httpx.get(away.headers["location"], trust_env=False)
        assert back.status_code == 302, back.text
        return self.get(back.headers["location"])


def test_there_and_back(hop: Hop, provider: Provider) -> None:
    browser, since = Browser(hop), len(hop.server.log)
    returned = browser.log_in("/page")
    assert returned.status_code == 302, returned.text
    assert urlsplit(returned.headers["location"]).path == "/page"
    browser.cookies["theme"] = "dark"
    assert browser.get("/page").status_code == 200
    (request,) = hop.reached(since)
    assert request.headers["cookie"] == "theme=dark"
    assert "authorization" not in request.headers
    assert not [token for token in provider.given if token in str(dict(request.headers))]
    answer = browser.get("/admin")
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient-scope")


def test_out_again(hop: Hop) -> None:
    browser = Browser(hop)
    browser.log_in("/page")
    assert browser.get("/page").status_code == 200
    assert browser.get("/logout").status_code == 302
    assert browser.get("/page").status_code == 302


def test_a_program_is_sent_nowhere(hop: Hop, provider: Provider) -> None:
    answer = hop.client.get("/page", headers={"accept": "application/json"})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["code"], answer.headers["www-authenticate"]) == ("token-missing", "Bearer")
    token = {"authorization": f"Bearer {provider.issuer.token(scope='pets:read')}"}
    assert hop.client.get("/page", headers=token).status_code == 200
    assert hop.client.get("/page", headers={**PAGE, "authorization": "Bearer x"}).status_code == 401
    assert hop.client.get("/open", headers=PAGE).status_code == 200


def test_what_was_not_asked_for_is_refused(hop: Hop, provider: Provider) -> None:
    """Another's answer, a forged state, a session of one's own making."""
    victim, attacker = Browser(hop), Browser(hop)
    away = attacker.get("/page").headers["location"]
    back = httpx.get(away, trust_env=False).headers["location"]
    assert victim.get(back).status_code == 401, "another browser's login"
    query = parse_qs(urlsplit(back).query)
    assert attacker.get(f"/login/callback?code={query['code'][0]}&state=forged").status_code == 401
    forged = {"cookie": "BearerToken=x; OauthHMAC=y; OauthExpires=9999999999"}
    assert hop.client.get("/page", headers={**PAGE, **forged}).status_code == 302
    assert hop.client.get("/login/callback").status_code == 401


def test_no_secret_is_in_a_dump(hop: Hop) -> None:
    """Neither in what is printed nor in what Envoy tells of itself; the last good form, which has it, is its owner's alone."""
    kept = [
        p
        for p in hop.folder.rglob("*")
        if p.is_file() and p.name != "login-secret" and SECRET.encode() in p.read_bytes()
    ]
    assert [(p.suffix, stat.S_IMODE(p.stat().st_mode)) for p in kept] == [(".zip", 0o600)]
    assert SECRET not in hop.gateway.output
    dump = Admin(hop.gateway.roles()["envoy"].pid).get("/config_dump?include_eds")
    assert "login:browser" in dump
    assert SECRET not in dump
    assert base64.b64encode(SECRET.encode()).decode().rstrip("=") not in dump
