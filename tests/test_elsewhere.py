"""What other systems than Linux lack or refuse, as far as it can be played here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from koubai.data import files
from koubai.naming import file_name

# What Windows does not have is hidden after the libraries, which mind it themselves, and before Koubai.
IMPORT_ALL = """
import asyncio, os, pkgutil, signal, sys
import nicegui, sklearn.datasets, torch, uvicorn
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("fork", "getpgid", "getuid", "killpg", "sched_getaffinity", "sysconf"):
    delattr(os, name) if hasattr(os, name) else None
for name in ("SIGALRM", "SIGHUP", "SIGKILL", "SIGTSTP", "SIGUSR1"):
    delattr(signal, name) if hasattr(signal, name) else None
import koubai
from importlib import import_module
for module in pkgutil.walk_packages(koubai.__path__, "koubai."):
    if not module.name.endswith("__main__"):
        import_module(module.name)
from koubai.caution import cores, total_memory
assert cores() >= 1
total_memory()
"""


@pytest.mark.slow
def test_every_module_can_be_imported_without_what_only_unix_has() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr


def test_on_windows_a_file_that_somebody_has_open_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals, replace = [PermissionError(13, "in use"), PermissionError(13, "in use")], os.replace

    def refuse(part: Path, path: Path) -> None:
        if refusals:
            raise refusals.pop()
        replace(part, path)

    monkeypatch.setattr(files.sys, "platform", "win32")
    monkeypatch.setattr(files.os, "replace", refuse)
    monkeypatch.setattr(files.time, "sleep", lambda seconds: None)
    files.write_whole(tmp_path / "kept", b"new")
    assert (tmp_path / "kept").read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["kept"]
    refusals[:] = [PermissionError(13, "in use") for _ in range(9)]
    with pytest.raises(PermissionError):
        files.write_whole(tmp_path / "kept", b"newer")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"new"]


@pytest.mark.parametrize("name", ["con", "NUL", "com1.a", "Aux"])
def test_no_study_is_kept_in_a_device_of_windows(name: str) -> None:
    assert file_name(name) == f"study-{name}"
    assert file_name("console") == "console"
