"""The documents, held to the code: every command, exercise and technique is named, and what can be copied from them works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch
import typer

import koubai.cli
from docs.generate import PAGES
from koubai.data import load
from koubai.data.builtin import BUILTIN
from koubai.experiments.catalogue import EXERCISES
from koubai.spec import Trial
from koubai.study import Study
from koubai.techniques import KINDS, activations
from koubai.training import train

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.ja.md")
DOCUMENTS = (
    *READMES,
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/reliability.md",
    *(f"docs/{name}" for name in PAGES),
)


def text(name: str) -> str:
    """A document."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, kind: str) -> list[str]:
    """The code blocks of one kind in a document."""
    return re.findall(rf"```{kind}\n(.*?)```", text(name), re.DOTALL)


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_are_what_the_code_tells(name: str) -> None:
    assert text(f"docs/{name}") == PAGES[name](), "run: make docs"


def test_every_technique_exercise_and_command_is_named() -> None:
    page = text("docs/techniques.md")
    for kind in KINDS.values():
        for name, technique in kind.items():
            assert f"### `{name}`\n" in page
            assert f"{technique.about.en}\n\n{technique.about.ja}\n" in page
    for name, exercise in EXERCISES.items():
        assert f"## `{name}`: {exercise.title.en} / {exercise.title.ja}" in text("docs/exercises.md")
    for name in typer.main.get_command(koubai.cli.app).commands:  # type: ignore[attr-defined]
        assert f"## `koubai {name}" in text("docs/commands.md")
        for readme in READMES:
            assert f"koubai {name}" in text(readme)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_to_copy_are_right(name: str) -> None:
    group = typer.main.get_command(koubai.cli.app)
    for line in "\n".join(blocks(name, "(?:sh|bat|python)")).splitlines():
        words = shlex.split(line.lstrip("!"), comments=True)
        if words[:1] == ["koubai"]:
            command = group.commands[words[1]]  # type: ignore[attr-defined]
            context = command.make_context(words[1], words[2:])  # wrong options end the test here
            assert set(context.params.get("exercises") or ()) <= EXERCISES.keys()
            assert context.params.get("data") in (None, *BUILTIN)
        if words[:1] == ["make"] and "=" not in "".join(words):
            assert re.search(rf"^{words[1]}:", text("Makefile"), re.MULTILINE)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", text(name)):
        if not target.startswith("http"):
            assert ((ROOT / name).parent / target).exists(), target


@pytest.mark.parametrize("name", ["SECURITY.md", "docs/reliability.md"])
def test_what_is_promised_names_the_tests_that_hold_it(name: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", text(name))
    assert named and all((ROOT / one).is_file() for one in named)
    assert "MEASURED" not in text(name)


def test_the_two_readmes_say_the_same() -> None:
    first, second = READMES
    for pattern in (r"^#+ ", r"^- ", r"^\|", r"^```\w*", r"!\[.*\]"):
        counts = [len(re.findall(pattern, text(name), re.MULTILINE)) for name in READMES]
        assert counts[0] == counts[1], pattern
    code = [[re.sub(r"\s*#.*", "", block) for block in blocks(name, r"\w+")] for name in (first, second)]
    assert code[0] == code[1]


@pytest.mark.parametrize("name", READMES)
def test_the_readmes_examples_are_the_examples(name: str) -> None:
    assert (ROOT / "examples" / "five_lines.py").read_text(encoding="utf-8") in blocks(name, "python")
    for study in blocks(name, "toml"):
        assert len(Study.from_toml(study)) == 60


def test_a_technique_is_added_as_contributing_says(cpu: torch.device) -> None:
    exec(blocks("CONTRIBUTING.md", "python")[0], {**vars(activations), "torch": torch})
    try:
        trial = Trial(data="moons", layers=[4], activation="swish", steps=3)
        outcome = train([trial], load(trial.data), cpu)
        assert outcome.diverged.tolist() == [0]
    finally:
        del activations.ACTIVATIONS["swish"]


def test_make_alone_lists_every_habit() -> None:
    targets = re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE)
    assert set(targets) == set(re.findall(r"^([a-z]+):.*## ", text("Makefile"), re.MULTILINE))


def test_what_is_pinned_is_what_is_asked_for() -> None:
    import tomllib

    project = tomllib.loads(text("pyproject.toml"))["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[<>=\[]", requirement)[0] for requirement in asked} - {"koubai"}
    pinned = {line.split("==")[0] for line in text("constraints.txt").splitlines() if not line.startswith("#")}
    assert names <= pinned


def test_the_lock_pins_what_the_constraints_pin() -> None:
    """With hashes for each; where they differ, ``make lock`` writes it anew."""
    lock = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text("requirements.lock"), re.MULTILINE))
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", text("constraints.txt"), re.MULTILINE))
    assert all(lock[name] == version for name, version in pinned.items() if name in lock)
    assert {"torch", "numpy", "nicegui"} <= lock.keys()
    assert text("requirements.lock").count("--hash=sha256:") > len(lock)
