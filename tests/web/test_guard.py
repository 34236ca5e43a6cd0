"""Who comes in: hosts, origins, the token; and the language and theme of those who do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from koubai.language import Language, language
from koubai.web.guard import Guard, dark, is_local


def asked(
    guard: Guard, kind: str = "http", path: str = "/", query: str = "", method: str = "GET", **headers: str
) -> list[dict[str, Any]]:
    """What a guard sends for a request."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "localhost:8080", **headers}.items()]
    scope = {"type": kind, "path": path, "query_string": query.encode(), "method": method, "headers": lines}
    asyncio.run(guard(scope, None, send))
    return sent


async def inside(scope: Any, receive: Any, send: Any) -> None:
    """A server that says what it is spoken to in."""
    await send({"type": "http.response.start", "status": 200, "headers": [], "language": language(), "dark": dark.get()})


@pytest.mark.parametrize("host", ["localhost:8080", "LOCALHOST", "127.0.0.1:1", "[::1]:8080", "koubai.localhost"])
def test_this_machine_comes_in(host: str) -> None:
    assert asked(Guard(inside), host=host)[0]["status"] == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "192.168.1.5:8080", "", "127.0.0.1.evil.example"])
def test_a_foreign_name_for_this_machine_stays_out(host: str) -> None:
    assert asked(Guard(inside), host=host)[0]["status"] == 400
    assert asked(Guard(inside), "websocket", host=host) == [{"type": "websocket.close", "code": 1008}]


def test_a_page_from_elsewhere_stays_out() -> None:
    for kind in ("http", "websocket"):
        assert asked(Guard(inside), kind, origin="http://localhost:8080")[0]["status"] == 200
        refused = asked(Guard(inside), kind, origin="http://evil.example")[0]
        assert refused.get("status", refused.get("code")) in (403, 1008)
    assert asked(Guard(inside), origin="null")[0]["status"] == 403
    assert asked(Guard(inside), origin="http://localhost:9999")[0]["status"] == 403


def test_with_a_token_nobody_else_comes_in() -> None:
    guard = Guard(inside, token="s3cret")
    assert asked(guard, host="192.168.1.5:8080")[0]["status"] == 401
    assert asked(guard, "websocket", host="192.168.1.5:8080")[0]["code"] == 1008
    assert asked(guard, query="token=s3cre")[0]["status"] == 401
    assert asked(guard, query="token=%ff%00")[0]["status"] == 401
    assert asked(guard, cookie="koubai-token=s3creT")[0]["status"] == 401
    assert asked(guard, "websocket", query="token=s3cret")[0]["code"] == 1008  # sockets come with the cookie
    assert asked(guard, cookie="koubai-token=s3cret", host="192.168.1.5")[0]["status"] == 200


def test_the_link_with_the_token_gives_a_cookie_and_an_address_without_it() -> None:
    answer = asked(Guard(inside, token="s3cret"), path="/play", query="a=1&token=s3cret&b=x%26y", host="lab")[0]
    headers = {name.decode(): value.decode() for name, value in answer["headers"]}
    assert answer["status"] == 303
    assert headers["location"] == "/play?a=1&b=x%26y"
    assert "koubai-token=s3cret" in headers["set-cookie"] and "HttpOnly" in headers["set-cookie"]


def test_the_token_never_leads_to_another_server() -> None:
    answer = asked(Guard(inside, token="s3cret"), path="//evil.example", query="token=s3cret")[0]
    assert dict(answer["headers"])[b"location"] == b"/evil.example"


@pytest.mark.parametrize(
    ("first", "headers", "spoken"),
    [
        (None, {}, "en"),
        (None, {"accept_language": "ja,en-US;q=0.9"}, "ja"),
        (None, {"accept_language": "fr,en;q=0.9,ja;q=0.8"}, "en"),
        ("ja", {"accept_language": "en"}, "ja"),
        ("ja", {"cookie": "koubai-language=en"}, "en"),
        (None, {"cookie": "koubai-language=<script>", "accept_language": "ja"}, "en"),
    ],
)
def test_each_visitor_is_spoken_to_in_their_language(first: Language | None, headers: dict[str, str], spoken: str) -> None:
    assert asked(Guard(inside, first=first), **headers)[0]["language"] == spoken


@pytest.mark.parametrize(("cookie", "expected"), [("", None), ("koubai-theme=dark", True), ("koubai-theme=light", False)])
def test_the_theme_is_the_visitors(cookie: str, expected: bool | None) -> None:
    assert asked(Guard(inside), cookie=cookie)[0]["dark"] is expected


def test_what_is_local() -> None:
    assert is_local("127.8.8.8") and is_local("::1") and not is_local("0.0.0.0") and not is_local("::")


def test_no_page_loads_from_elsewhere_or_stands_in_another_pages_frame() -> None:
    headers = {name.decode(): value.decode() for name, value in asked(Guard(inside))[0]["headers"]}
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self' ") and "http" not in policy and "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("length", "status"),
    [
        ("0", 200),
        ("20000000", 200),
        ("20200000", 413),
        ("9" * 18, 413),
        ("9" * 30, 411),
        ("", 411),
        ("-1", 411),
        ("1e9", 411),
        ("٣", 411),
    ],
)
def test_too_much_is_refused_before_it_comes(length: str, status: int) -> None:
    sent = length.encode().decode("latin-1")
    assert asked(Guard(inside), method="POST", content_length=sent)[0]["status"] == status
    assert asked(Guard(inside), content_length=sent)[0]["status"] == 200  # what is only asked sends nothing
    assert asked(Guard(inside), method="POST", transfer_encoding="chunked")[0]["status"] == 411


def test_how_much_may_come_is_said_in_both_languages() -> None:
    for spoken, words in {"en": "more than the 20 MB", "ja": "上限 20 MB"}.items():
        sent = asked(Guard(inside), method="POST", content_length="999999999", accept_language=spoken)
        assert words in sent[1]["body"].decode()


def test_a_visitor_who_does_not_wait_is_no_error_and_what_breaks_is_one() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError(scope["path"])

    assert asked(Guard(broken), path="No response returned.") == []
    with pytest.raises(RuntimeError, match="else"):
        asked(Guard(broken), path="else")
