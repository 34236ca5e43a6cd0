"""Processes by a name that outlives them: whoever finds what one left behind can tell whether it still runs."""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from pathlib import Path

PROC = Path("/proc")


@cache
def _host() -> str:
    return re.sub(r"[^\w.]", "_", platform.node()) or "here"


def this_process() -> str:
    """This process: the machine, its number, and when it started, since numbers are given out again."""
    return f"{_host()}-{os.getpid()}-{_started(os.getpid())}"


def gone(process: str) -> bool:
    """Whether a process that called itself so is known to run no more. Of other machines' processes nothing is known."""
    host, _, rest = process.rpartition("-")[0].rpartition("-")
    started = process.rpartition("-")[2]
    if host != _host() or not rest.isdecimal() or os.name != "posix":
        return False
    try:
        os.kill(int(rest), 0)
    except (ProcessLookupError, OverflowError, ValueError):  # a number that no process has
        return True
    except PermissionError:
        pass
    return started != _started(int(rest))


def _started(pid: int) -> str:
    """When a process started, in the system's own count; nothing where the system does not say."""
    try:
        return (PROC / str(pid) / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
