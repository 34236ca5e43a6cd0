"""Who may come in, and what each visitor is spoken to in: one ASGI layer around the whole server, for requests and sockets alike.

On localhost a request must name localhost (a page elsewhere may have bound its own name to 127.0.0.1: DNS rebinding), elsewhere it
must bring the token. A browser that says which page it comes from (``Origin``) must come from this server. Inside, the visitor's
language and theme are in force: handlers of events inherit them from the socket they came through.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from html import escape
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from koubai.language import Language, Words, language, say, speaking
from koubai.web.uploads import MOST

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

LANGUAGE, THEME, TOKEN = "koubai-language", "koubai-theme", "koubai-token"  # cookies
YEAR = 365 * 24 * 3600
SENDING = ("POST", "PUT", "PATCH")
LEFT = "No response returned."  # Starlette's words for a visitor who did not wait for the answer: no error of anybody's
ENVELOPE = 10**5  # bytes that come with a file in a form
HEADERS = {  # whatever a page holds, a browser loads nothing from elsewhere for it, and shows it in no other page's frame
    "content-security-policy": "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}

dark: ContextVar[bool | None] = ContextVar("dark", default=None)  # the visitor's theme; None follows their system


def is_local(host: str) -> bool:
    """Whether a host's name or address, without its port, is this machine's own."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """The layer. ``token`` is what visitors must bring, or ``None`` on localhost; ``first`` the language of a first visit."""

    def __init__(self, app: App, token: str | None = None, first: Language | None = None) -> None:
        self.app, self.token, self.first = app, token, first

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        cookies = _cookies(headers.get("cookie", ""))
        with speaking(_language(cookies, headers) if LANGUAGE in cookies or not self.first else self.first):
            theme = dark.set({"dark": True, "light": False}.get(cookies.get(THEME, "")))
            try:
                refused = self._refused(scope, headers, cookies)
                if refused is None:
                    await self._inside(scope, receive, send)
                elif scope["type"] == "websocket":
                    await send({"type": "websocket.close", "code": 1008})
                else:
                    await _answer(send, *refused)
            finally:
                dark.reset(theme)

    async def _inside(self, scope: Scope, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, _hardened(send))
        except RuntimeError as error:
            if str(error) != LEFT:
                raise

    def _refused(self, scope: Scope, headers: dict[str, str], cookies: dict[str, str]) -> tuple[int, str, dict[str, str]] | None:
        """Status, text and headers where a request is not let in."""
        host = headers.get("host", "")
        if self.token is None and not is_local(_name(host)):
            return 400, say(FOREIGN), {}
        if (origin := headers.get("origin")) and urlsplit(origin).netloc.lower() != host.lower():
            return 403, say(FOREIGN), {}
        if self.token is None or _same(cookies.get(TOKEN, ""), self.token):
            return _too_much(headers) if scope.get("method") in SENDING else None
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        if scope["type"] == "http" and _same(query.pop("token", [""])[0], self.token):  # into a cookie, and out of the address
            path = "/" + scope["path"].lstrip("/") + ("?" + urlencode(query, doseq=True) if query else "")
            kept = f"{TOKEN}={self.token}; Path=/; Max-Age={YEAR}; HttpOnly; SameSite=Lax"
            return 303, "", {"location": path, "set-cookie": kept}
        return 401, say(LOCKED), {}


def _too_much(headers: dict[str, str]) -> tuple[int, str, dict[str, str]] | None:
    """Status, text and headers where a request does not say how much it sends, or more than may come: before any of it is read."""
    length = headers.get("content-length", "")
    if not re.fullmatch(r"\d{1,18}", length, re.ASCII):
        return 411, say(UNMEASURED), {}
    return (413, say(TOO_MUCH), {}) if int(length) > MOST + ENVELOPE else None


ANSWER = """<!doctype html><html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>Koubai 勾配</title>
<p style="font: 1.1rem/1.7 system-ui, sans-serif; max-width: 34rem; margin: 4rem auto; padding: 0 1rem">{text}"""
FOREIGN = Words(
    "This server can only be opened as localhost; to open it under another name, start it with koubai serve --host.",
    "このサーバーには localhost でのみアクセスできます。他の名前で開くには koubai serve --host で起動してください。",
)
TOO_MUCH = Words(
    f"This is more than the {MOST / 1e6:.0f} MB that can be uploaded; use koubai run --data for larger files.",
    f"アップロードの上限 {MOST / 1e6:.0f} MB を超えています。大きなファイルには koubai run --data を使ってください。",
)
UNMEASURED = Words(
    "A request with a body must state its length (Content-Length).",
    "本文のあるリクエストには、その長さ(Content-Length)の指定が必要です。",
)
LOCKED = Words(
    "This laboratory is locked: open the link that koubai serve printed.",
    "鍵がかかっています。koubai serve が表示したリンクから開いてください。",
)


def _same(given: str, token: str) -> bool:
    """Whether two texts are the same, in a time that does not tell how far they are."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _name(host: str) -> str:
    """A Host header's name, in small letters, without the port."""
    return re.sub(r":\d*$", "", host).lower()


def _cookies(header: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}


def _language(cookies: dict[str, str], headers: dict[str, str]) -> Language:
    """The language that was chosen, else the first of the two that the browser asks for."""
    wanted = re.findall(r"\b(ja|en)\b", cookies.get(LANGUAGE) or headers.get("accept-language", "").lower())
    return "ja" if wanted[:1] == ["ja"] else "en"


def _hardened(send: Any) -> Any:
    """``send``, with ``HEADERS`` on every answer."""
    lines = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def sent(message: Scope) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *lines]}
        await send(message)

    return sent


async def _answer(send: Any, status: int, text: str, headers: dict[str, str]) -> None:
    """A short answer, as a page that is read on a phone too."""
    given = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store", **headers}
    lines = [(name.encode(), value.encode("latin-1", "replace")) for name, value in given.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": ANSWER.format(language=language(), text=escape(text)).encode()})
