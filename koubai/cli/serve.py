"""``koubai serve``: the laboratory in a browser."""

from __future__ import annotations

from typing import Annotated

from koubai.cli.base import OUT, Lang, Out, command, option, text
from koubai.language import UserError, language

PORT = 8080


@command(
    "serve",
    "Open the laboratory in a browser. Play, look at the ideas, compare what was run. Only this machine can see it, unless --host.",
    "ブラウザで実験室を開きます。実験、しくみの解説、結果の比較。--host を付けない限り、このマシンからのみ見えます。",
)
def serve(
    port: Annotated[int, option("--port", "The port; 0 takes a free one.", "ポート。0なら空いているもの。", "N")] = PORT,
    host: Annotated[
        str,
        option(
            "--host",
            "The address to listen at; other than localhost it needs the token of the link that is printed.",
            "待ち受けるアドレス。localhost以外では、表示されるリンクの鍵が必要。",
            "ADDRESS",
        ),
    ] = "localhost",
    out: Out = OUT,
    lang: Lang = None,
) -> None:
    """Serve the laboratory."""
    import secrets
    import socket

    from koubai.store import Store
    from koubai.web.guard import is_local
    from koubai.web.server import serve as start

    port = _free(host, port)
    token = None if is_local(host) else secrets.token_urlsafe(24)
    # of all addresses the machine's name is one that others can type
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host
    shown = f"[{name}]" if ":" in name else name
    link = f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
    print(text(f"Koubai is at {link} (stop: Ctrl+C)", f"Koubaiを開いています: {link} (終了: Ctrl+C)"), flush=True)
    start(Store(out / "store"), "127.0.0.1" if host == "localhost" else host, port, token, language() if lang else None)


def _free(host: str, port: int) -> int:
    """The port, where it is free; for 0 one that is. Raises ``UserError``."""
    import os
    import socket

    if not 0 <= port < 2**16:  # getaddrinfo takes the remainder, silently
        raise UserError(f"The port must be from 0 to 65535, not {port}.", f"ポートは0から65535までにしてください: {port}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            if os.name == "posix":  # on Windows it would let two programs have one port
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            return int(trial.getsockname()[1])
    except OSError as error:
        raise UserError(
            f"{host}:{port} cannot be opened ({error}); choose another with --port or --host.",
            f"{host}:{port} を開けません({error})。--port か --host で別の番号やアドレスを指定してください。",
        ) from None
