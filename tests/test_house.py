"""The order of the house: nothing imports upward, and every file has its floor on CONTRIBUTING's list."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "koubai"


def floors() -> list[list[str]]:
    """The modules of each floor, as CONTRIBUTING lists them, lowest first."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+?`) \|", text, re.MULTILINE)
    return [[name.strip("`").rstrip("/").removesuffix(".py") for name in row.split(", ")] for row in rows]


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package by the name of its floor's member, but for the package's own front."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if name not in ("__init__", "__main__"):
            yield name, path


def imported(path: Path) -> Iterator[str]:
    """What a module imports of the package, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("koubai"):
            inside = node.module.split(".")[1:]
            yield from [inside[0]] if inside else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("koubai."))


def test_every_module_has_a_floor() -> None:
    listed = [name for floor in floors() for name in floor]
    assert len(set(listed)) == len(listed)
    assert {name for name, _ in modules()} == set(listed)


def test_nothing_imports_upward() -> None:
    level = {name: k for k, floor in enumerate(floors()) for name in floor}
    upward = [
        f"{path.relative_to(ROOT)} imports {other}"
        for name, path in modules()
        for other in imported(path)
        if other in level and level[other] > level[name]
    ]
    assert not upward


def test_techniques_know_nothing_of_the_rest() -> None:
    for name, path in modules():
        if name == "techniques":
            assert set(imported(path)) <= {"techniques"}, path


def test_nothing_is_ever_unpickled() -> None:
    for _, path in modules():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\b(pickle|joblib|dill|torch\.load)\b(?! of)", text) or "allow_pickle=False" in text, path
