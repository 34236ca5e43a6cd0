"""``koubai serve`` in a process of its own, for a benchmark or a test to visit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

DRAWN = "(all => all.length && all.every(e => /\\d/.test(e.textContent)))([...document.querySelectorAll('.accuracy')])"  # Play's variants


@contextmanager
def served(out: Path, *options: str) -> Iterator[tuple[str, int]]:
    """A server on a free port; gives the link that it prints, and its process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "NICEGUI_"))}
    command = [sys.executable, "-m", "koubai", "serve", "--port", "0", "--out", str(out), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment | {"LC_ALL": "en_US.UTF-8"})
    try:
        assert process.stdout
        link = re.search(r"http://\S+", process.stdout.readline())
        assert link, "koubai serve printed no link"
        _wait(f"http://127.0.0.1:{urlsplit(link[0]).port}/")
        yield link[0], process.pid
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout:
            process.stdout.close()


def _wait(url: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=10).close()
            return
        except urllib.error.HTTPError as error:  # an answer, if only that it is locked
            error.close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")
