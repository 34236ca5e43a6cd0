"""``koubai store`` and what ``koubai runs`` says of a study's state, as a person uses them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from koubai.store import Store

Command = Callable[..., Any]  # the fixture ``command``


@pytest.fixture
def trained(command: Command, tmp_path: Path) -> Store:
    """Two studies in the usual place."""
    for name, axes in (("one", "seed = 2"), ("two", 'activation = ["tanh", "relu"]')):
        (tmp_path / f"{name}.toml").write_text(f"[base]\ndata = 'moons'\nlayers = [3]\nsteps = 2\n[axes]\n{axes}\n")
        assert command("study", f"{name}.toml").code == 0
    return Store(tmp_path / "koubai-out" / "store")


def test_check_finds_damage_and_the_next_run_trains_what_is_lost(command: Command, trained: Store) -> None:
    ended = command("store", "check")
    assert ended.code == 0 and "3 of 3 trials in" in ended.out  # relu, seed 0 is in both
    file = sorted(trained.stacks.iterdir())[0]
    file.write_bytes(file.read_bytes()[:-9])
    ended = command("store", "check")
    assert ended.code == 1 and f"{file.name} is damaged" in ended.out and "Traceback" not in ended.err
    ended = command("store", "check", "--lang", "ja")
    assert ended.code == 1 and "が壊れています" in ended.out
    first, second = command("study", "one.toml"), command("study", "two.toml")
    assert (first.err + second.err).count("is damaged") >= 1 and first.code == second.code == 0
    assert "Traceback" not in first.err + second.err
    assert command("store", "check", "--mend").code == 0 and command("store", "check").code == 0
    assert "3 of 3" in command("store", "check").out


def test_export_import_prune(command: Command, trained: Store, tmp_path: Path) -> None:
    assert "2 trials" in command("store", "export", "taken", "one").out
    assert "2 new trials." in command("store", "import", "taken", "--out", "elsewhere").out
    assert "1 new trial." in command("store", "import", "koubai-out", "--out", "elsewhere").out
    assert command("store", "import", "nowhere").code == 2 and command("store", "export", "taken").code == 2
    ended = command("store", "prune", "one", "--out", "elsewhere")
    assert ended.code == 0 and "MB freed" in ended.out
    assert [one["name"] for one in Store(tmp_path / "elsewhere" / "store").studies()] == ["two"]
    assert command("store", "prune", "none").code == 2
