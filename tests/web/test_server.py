"""The server from outside: who is let in, and what it does not give away."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from benchmarks.serving import served
from tests.web.conftest import Laboratory

pytestmark = pytest.mark.slow


def answer(url: str, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers of a request, its path sent as it is."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=20)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    body = response.read().decode("utf-8", "replace")
    connection.close()
    return response.status, body, {name.lower(): value for name, value in response.getheaders()}


def test_a_foreign_host_is_refused(laboratory: Laboratory) -> None:
    assert answer(laboratory.url, "/", Host="evil.example")[0] == 400
    assert answer(laboratory.url, "/_nicegui_ws/socket.io/?EIO=4&transport=polling", Host="evil.example")[0] == 400
    assert answer(laboratory.url, "/_nicegui_ws/socket.io/?EIO=4&transport=polling", Origin="http://evil.example")[0] == 403


@pytest.mark.parametrize("path", [
    "/runs/../../../../etc/passwd", "/runs/..%2f..%2f..%2fetc%2fpasswd/report", "/runs/%2e%2e/report", "//etc/passwd",
    "/runs/index.sqlite/report", "/runs/..%2f../model/best", "/_nicegui/../../../../etc/passwd", "/uploads/x.csv",
])  # fmt: skip
def test_no_file_is_given_away(laboratory: Laboratory, path: str) -> None:
    status, body, _ = answer(laboratory.url, path)
    assert "root:" not in body and "SQLite" not in body
    assert status == 404 or "There is no such study" in body


def test_too_large_an_upload_is_refused_before_its_bytes_arrive(laboratory: Laboratory) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(laboratory.url).port, timeout=20)
    connection.putrequest("POST", "/uploads?name=a.csv")
    connection.putheader("Content-Length", str(10**10))
    connection.endheaders()  # and nothing more
    response = connection.getresponse()
    assert response.status == 413 and b"can be uploaded" in response.read()
    connection.close()


def test_another_host_needs_the_token(tmp_path: Path) -> None:
    with served(tmp_path, "--host", "0.0.0.0") as (link, _):
        (token,) = parse_qs(urlsplit(link).query)["token"]
        assert answer(link, "/")[0] == 401
        assert answer(link, "/?token=" + token[:-1])[0] == 401
        assert answer(link, "/_nicegui_ws/socket.io/?EIO=4&transport=polling")[0] == 401
        status, _, headers = answer(link, "/runs?token=" + token)
        assert (status, headers["location"]) == (303, "/runs")
        assert answer(link, "/runs", Cookie=headers["set-cookie"].split(";")[0])[0] == 200


def test_a_page_names_nothing_outside_this_machine(laboratory: Laboratory) -> None:
    for path in ("/", "/ideas", "/runs"):
        _, body, _ = answer(laboratory.url, path)
        assert "http://" not in body.replace("http://www.w3.org", "") and "https://" not in body, path


def test_a_study_of_which_all_diverged_is_listed(laboratory: Laboratory) -> None:
    for path in ("/runs", f"/runs/{laboratory.ids['lost']}"):
        _, body, _ = answer(laboratory.url, path)
        assert "badge diverged" in body or '"badge","diverged"' in body, path
        assert "A bug in Koubai" not in body, path


def test_a_first_visit_is_answered_in_the_language_that_was_asked_for(tmp_path: Path) -> None:
    with served(tmp_path, "--lang", "ja") as (link, _):
        assert '<html lang="ja"' in answer(link, "/", Accept_Language="en")[1]
        assert '<html lang="en' in answer(link, "/", Accept_Language="en", Cookie="koubai-language=en")[1]
