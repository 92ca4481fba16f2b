"""`sidegate try`: what `helm test` runs."""

from __future__ import annotations

import pytest
from pytest_httpserver import HTTPServer

from xds.cli import main
from xds.up.ports import free_port


@pytest.fixture
def service(httpserver: HTTPServer) -> HTTPServer:
    httpserver.expect_request("/open", method="GET").respond_with_data("hello")
    httpserver.expect_request("/moved").respond_with_data(status=302, headers={"location": "/open"})
    httpserver.expect_request("/mine", headers={"x-key": "1"}).respond_with_data(status=204)
    httpserver.expect_request("/mine").respond_with_json({"code": "no-token", "status": 401}, status=401)
    return httpserver


def test_all_as_expected(service: HTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", service.url_for(""), "GET /open 200", "GET /mine 401", "GET /moved 302"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ok  GET /open: 200",
        "ok  GET /mine: 401 no-token",
        "ok  GET /moved: 302",
    ]


def test_another_status_is_a_failure(service: HTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", service.url_for("/"), "GET /open 200", "GET /mine 200"]) == 1
    assert "NOT GET /mine: 401 no-token, not 200" in capsys.readouterr().out


def test_headers_go_with_it(service: HTTPServer) -> None:
    assert main(["try", service.url_for("/"), "GET /mine 204", "--header", "x-key: 1"]) == 0


def test_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", f"http://127.0.0.1:{free_port()}", "GET / 200", "--within", "0"]) == 3
    assert "nobody answered" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["ftp://x", "GET / 200"], ["http://x", "GET /"], ["http://x", "GET / 200", "--header", "x"]]
)
def test_what_makes_no_sense(words: list[str]) -> None:
    assert main(["try", *words]) == 2
