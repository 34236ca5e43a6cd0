"""The command line, used as a person would: what it prints, its exit codes, and what it leaves on disk."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import koubai
from koubai.__main__ import asked
from koubai.data.builtin import BUILTIN
from koubai.experiments.catalogue import EXERCISES
from koubai.language import Words
from koubai.naming import study_named
from koubai.result import USUAL
from koubai.store import Store
from koubai.study import Study
from koubai.techniques import KINDS

EXAMPLE = Path(__file__).parent.parent / "examples" / "my-study.toml"


Command = Callable[..., Any]  # the fixture ``command``


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, and say at the end of stderr whether it imported torch."""
    script = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))\n"
        "from koubai.__main__ import main\n"
        "main()"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "LC_ALL": "en_US.UTF-8", "PYTHONIOENCODING": "utf-8", **environment},
        check=False,
    )


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["run", "--help"], ["--version"], ["runs"]])
def test_what_lists_and_helps_does_not_import_torch(arguments: list[str]) -> None:
    ended = process(*arguments)
    assert ended.returncode == 0
    assert ended.stderr.strip() == "False"


@pytest.mark.parametrize("name", ["koubai.language", "koubai.cli"])
def test_ctrl_c_before_anything_is_imported_ends_quietly(name: str) -> None:
    script = f"""
import sys

class Interrupt:
    def find_spec(self, name, *rest):
        if name == {name!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from koubai.__main__ import main
main()
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


def test_version(command: Command) -> None:
    assert command("--version") == (0, f"koubai {koubai.__version__}\n", "")


@pytest.mark.parametrize(
    ("environment", "arguments", "words"),
    [
        ({}, [], ["side by side", "Options:", "koubai run\n", "koubai study my-study.toml", "koubai-out/store/"]),
        (
            {"LC_ALL": "ja_JP.UTF-8"},
            [],
            ["並べて学習", "オプション:", "koubai run\n", "koubai study my-study.toml", "koubai-out/store/"],
        ),
        ({}, ["--lang", "ja"], ["並べて学習", "結果の保存先"]),
        ({"LC_ALL": "ja_JP.UTF-8"}, ["--lang=en"], ["side by side", "Where results go"]),
    ],
)
def test_help_teaches_in_both_languages(environment: dict[str, str], arguments: list[str], words: list[str]) -> None:
    ended = process(*arguments, "--help", **environment)
    assert ended.returncode == 0
    for word in words:
        assert word in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "language"),
    [
        (["--lang", "ja", "run"], "ja"),
        (["run", "--lang=en"], "en"),
        (["run", "--lang"], None),
        (["--lang", "fr"], None),
        ([], None),
    ],
)
def test_the_language_is_known_before_the_command_line_is_read(arguments: list[str], language: str | None) -> None:
    assert asked(arguments) == language


@pytest.mark.parametrize("language", ["en", "ja"])
def test_list_names_everything(command: Command, language: str) -> None:
    ended = command("list", "--lang", language)
    assert ended.code == 0
    named = {line.split()[0] for line in ended.out.splitlines() if line.startswith("  ")}
    assert named >= {*EXERCISES, *BUILTIN, *(name for kind in KINDS.values() for name in kind)}
    one = EXERCISES["vanishing-gradient"].title
    assert (one.ja if language == "ja" else one.en) in ended.out


FILES: dict[str, bytes] = {
    "fine.toml": b"[base]\nsteps = 1\n",
    "habit.toml": b"[base]\nlr = 0.1\n",
    "unquoted.toml": b"[axes]\noptimizer.momentum = [0.5, 0.9]\n",
    "table.toml": b"[axis]\nseed = 3\n",
    "activation.toml": b'[base]\nactivation = "relo"\n',
    "data.toml": b'[base]\ndata = "digit"\n',
    "number.toml": b'[base]\noptimizer = { name = "adam", epsilon = 1e-7 }\n',
    "rate.toml": b"[base]\nlearning_rate = -0.1\n",
    "nan.toml": b"[base]\nlearning_rate = nan\n",
    "steps.toml": b"[base]\nsteps = 0\n",
    "momentum.toml": b'[base]\noptimizer = { name = "momentum", momentum = 2 }\n',
    "seeds.toml": b"[axes]\nseed = 0\n",
    "width.toml": b"[base]\nlayers = [0]\n",
    "batch.toml": b"[base]\nbatch_size = 5000\n",
    "zip.toml": b"[[zip]]\nlearning_rate = [1, 2]\nsteps = [1]\n",
    "many.toml": b"[axes]\nseed = 1000\nlayers = [[1], [2]]\nsteps = " + repr(list(range(1, 1001))).encode(),
    "broken.toml": b"[base\nsteps = 1\n",
    "garbage.toml": bytes(range(256)),
    "latin.toml": "[base]\nactivation = 'sigmoïde'\n".encode("latin-1"),
}

BAD = {
    ("run", "vanishing-gradiant"): ["vanishing-gradiant", "did you mean 'vanishing-gradient'"],
    ("run", "--data", "digit"): ["'digit'", "did you mean 'digits'"],
    ("run", "--seeds", "0"): ["seeds", "not 0"],
    ("run", "--steps", "0"): ["steps", "not 0"],
    ("run", "--width", "0"): ["width", "not 0"],
    ("run", "--threads", "0"): ["threads", "not 0"],
    ("run", "--threads", "100000"): ["threads", "1024"],
    ("serve", "--port", "99999"): ["65535", "not 99999"],
    ("run", "--device", "tpu"): ["auto, cpu or cuda", "'tpu'"],
    ("run", "--lang", "fr"): ["'fr'", "ja, en"],
    ("run", "--out", "fine.toml"): ["fine.toml", "--out"],
    ("run", "vanishing-gradient", "--figure", "legder"): ["'legder'", "did you mean 'ledger'"],  # before anything is trained
    ("run", "--missing", "median"): ["missing", "'mean'", "'drop'", "'median'"],
    ("study", "fine.toml", "--figure", "legder"): ["'legder'", "did you mean 'ledger'"],
    ("study", "unquoted.toml"): ["unquoted.toml", "'optimizer'", '"optimizer.momentum" = [...]'],
    ("study", "habit.toml"): ["habit.toml", "'lr'", "did you mean 'learning_rate'"],
    ("study", "table.toml"): ["table.toml", "'axis'", "did you mean 'axes'"],
    ("study", "activation.toml"): ["activation.toml", "'relo'", "did you mean 'relu'"],
    ("study", "data.toml"): ["'digit'", "did you mean 'digits'"],
    ("study", "number.toml"): ["'epsilon'", "did you mean 'eps'"],
    ("study", "rate.toml"): ["learning_rate", "-0.1"],
    ("study", "nan.toml"): ["learning_rate", "nan"],
    ("study", "steps.toml"): ["steps", "not 0"],
    ("study", "momentum.toml"): ["momentum", "[0, 1)", "not 2"],
    ("study", "seeds.toml"): ["seeds", "not 0"],
    ("study", "width.toml"): ["layers", "not 0"],
    ("study", "batch.toml"): ["batch_size = 5000", "1,437"],
    ("study", "zip.toml"): ["equally long"],
    ("study", "many.toml"): ["2,000,000", "1,000,000"],
    ("study", "broken.toml"): ["broken.toml", "line 1"],
    ("study", "garbage.toml"): ["garbage.toml", "UTF-8"],
    ("study", "latin.toml"): ["latin.toml", "UTF-8"],
    ("study", "missing.toml"): ["missing.toml", "No such file"],
    ("study", "folder"): ["folder", "directory"],
    ("study", "fine.toml", "--out", "habit.toml"): ["habit.toml", "--out"],
    ("study", "fine.toml", "--out", "taken"): ["fine.html is a folder", "--out"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files that are wrong in one way each."""
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "taken" / "fine.html").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_bad_input_is_one_sentence_and_leaves_nothing(command: Command, folder: Path, arguments: tuple[str, ...]) -> None:
    before = sorted(folder.rglob("*"))
    ended = command(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.count("\n") == 1
    assert ended.err.endswith(".\n")
    for word in BAD[arguments]:
        assert word in ended.err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("arguments", [arguments for arguments in BAD if "fr" not in arguments], ids=" ".join)
def test_bad_input_is_one_sentence_in_japanese(command: Command, folder: Path, arguments: tuple[str, ...]) -> None:
    ended = command(*arguments, "--lang", "ja")
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.count("\n") == 1
    assert any("ぁ" <= letter <= "ヿ" for letter in ended.err)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rnu"], "There is no command 'rnu'; did you mean 'run'?"),
        (["store", "chek"], "There is no command 'chek'; did you mean 'check'?"),
        (["run", "--sedes", "3"], "There is no option of koubai run '--sedes'; did you mean '--seeds'?"),
        (["--foo"], "There is no option of koubai '--foo'."),
        (["run", "--seeds", "many"], "--seeds must be a whole number; koubai run --help shows how."),
        (["quiz", "two"], "NUMBER must be a whole number; koubai quiz --help shows how."),
        (["run", "--seeds"], "--seeds takes a value; koubai run --help shows how."),
        (["run", "--quick=3"], "--quick takes no value; koubai run --help shows how."),
        (["study"], "koubai study needs FILE.toml; koubai study --help shows how."),
        (["chain", "x"], "koubai chain needs --wrt; koubai chain --help shows how."),
        (["list", "what"], "'what' is more than koubai list takes; koubai list --help shows how."),
        (["list", "what", "(more)"], "'what (more)' is more than koubai list takes; koubai list --help shows how."),
        (["output-size", "6"], "koubai output-size needs FILTER; koubai output-size --help shows how."),
        (["explain"], "koubai explain needs TECHNIQUE; koubai explain --help shows how."),
    ],
)
def test_wrong_usage_is_one_sentence_in_both_languages(command: Command, arguments: list[str], words: str) -> None:
    ended = command(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(words) and ended.err.count("\n") == 1
    japanese = command("--lang", "ja", *arguments)
    assert japanese.code == 2 and japanese.err.count("\n") == 1
    assert any("ぁ" <= letter <= "ヿ" for letter in japanese.err)


def test_no_command_shows_the_help(command: Command) -> None:
    ended = command()
    assert "koubai study my-study.toml" in ended.out + ended.err


def test_a_bug_of_ours_keeps_its_traceback(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Store) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Store, "studies", broken)
    with pytest.raises(ZeroDivisionError):
        command("runs")


def test_runs_of_an_empty_folder(command: Command, tmp_path: Path) -> None:
    ended = command("runs")
    assert ended.code == 0
    assert "koubai run" in ended.out
    assert not list(tmp_path.iterdir())


def test_an_exercise_from_training_to_report(command: Command, tmp_path: Path) -> None:
    arguments = ("run", "vanishing-gradient", "--seeds", "2", "--steps", "12", "--device", "cpu", "--out", "results")
    first = command(*arguments)
    assert first.code == 0, first.err
    assert "Vanishing gradients" in first.out
    assert "sigmoid, xavier" in first.out
    assert "results/vanishing-gradient.html" in first.out
    assert "already" not in first.out
    assert (tmp_path / "results" / "vanishing-gradient.html").read_text(encoding="utf-8").startswith("<!")

    second = command(*arguments, "--lang", "ja")
    assert second.code == 0
    assert "24 個のうち 24 個" in second.out
    assert "勾配消失問題" in second.out

    listed = command("runs", "--out", "results")
    row = next(line.split() for line in listed.out.splitlines() if line.startswith("vanishing-gradient"))
    assert row[3:7] == ["finished", "24", "24", "0"]


def test_the_curves_of_a_study_are_written_for_other_programs(command: Command, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('name = "s"\n[base]\ndata = "moons"\nsteps = 30\n[axes]\nlayers = [[4], [3, 3]]\nseed = 2\n')
    assert command("study", "s.toml").code == 0
    ended = command("runs", "s", "--curves", "new/curves.csv")
    assert (ended.code, ended.out.strip()) == (0, "new/curves.csv: the curves of 4 trials.")
    with (tmp_path / "new" / "curves.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    store = Store(tmp_path / "koubai-out" / "store")
    records = store.get(study_named(store, "s").trials)
    assert len(rows) == sum(len(record.steps) for record in records)
    for record in records:
        mine = [row for row in rows if row["id"] == record.trial.id]
        assert [int(row["step"]) for row in mine] == record.steps.tolist()
        assert [float(row["validation_loss"]) for row in mine] == record.history["validation_loss"].tolist()
        for k, layer in enumerate(record.layers):
            assert [float(row[f"gradient at {layer}"]) for row in mine] == record.history["gradient"][:, k].tolist()
        assert {bool(row["gradient at dense 3"]) for row in mine} == {"dense 3" in record.layers}
    for wrong, words in ((("runs", "--curves", "x.csv"), "needs a study"), (("runs", "s", "--curves", "."), "cannot be written")):
        ended = command(*wrong)
        assert ended.code == 2 and words in ended.err and "Traceback" not in ended.err


def test_verdicts_on_other_data_are_compared_with_those_on_digits(command: Command, tmp_path: Path) -> None:
    arguments = ("run", "learning-rate", "--data", "moons", "--seeds", "1", "--steps", "2")
    assert "no verdicts on digits" in command(*arguments).out
    Store(tmp_path / "koubai-out" / "store").note_claim("rate-too-high", "digits", "supported", Words("why", "理由"))
    ended = command(*arguments)
    assert "keeps a network from training. [digits: supported]" in ended.out and "no verdicts" not in ended.out
    assert "differs: on digits it was supported" in (tmp_path / "koubai-out" / "learning-rate.html").read_text(encoding="utf-8")
    assert "on digits" not in command("run", "valley", "--data", "moons").out, "a surface has no data"


def test_verdicts_on_fewer_seeds_or_steps_are_called_a_first_look(command: Command, tmp_path: Path) -> None:
    ended = command("run", "initial-weights", "--seeds", "1", "--steps", "2", "--out", "a folder")
    report = (tmp_path / "a folder" / "initial-weights.html").read_text(encoding="utf-8")
    for text in (ended.out, report):
        assert "A first look: with seeds or steps other than the exercises&#39; own" in text.replace("'", "&#39;")
    whole = command("run", "valley")
    assert "supported" in whole.out and "A first look" not in whole.out


def test_a_quick_looks_verdicts_are_kept_as_such_until_a_whole_run(command: Command, tmp_path: Path) -> None:
    store = Store(tmp_path / "koubai-out" / "store")
    for arguments, kept in (
        (("--quick", "--steps", "2"), set()),  # of less than a quick look nothing is kept
        (("--quick",), {True}),
        ((), {False}),
        (("--quick",), {False}),
    ):
        assert command("run", "valley", *arguments).code == 0
        assert {quick for _, _, quick in store.claims().values()} == kept, arguments
    store.note_claim("rate-too-high", "digits", "supported", Words("why", "理由"), quick=True)
    ended = command("run", "learning-rate", "--data", "moons", "--seeds", "1", "--steps", "2")
    assert "[digits: supported]" not in ended.out, "other data are compared with whole runs"


def test_a_table_with_gaps_trains_and_the_report_says_the_command(command: Command, tmp_path: Path) -> None:
    rows = [f"{k % 7},{k % 5 if k % 9 else ''},{'ab'[k % 7 > 3]}" for k in range(60)]
    (tmp_path / "my table.csv").write_text("\n".join(["x,y,kind", *rows]), encoding="utf-8")
    asked = ("run", "vanishing-gradient", "--seeds", "1", "--steps", "2", "--data", "my table.csv", "--target", "kind")
    refused = command(*asked)
    assert refused.code == 2 and 'missing = "mean"' in refused.err
    ended = command(*asked, "--missing", "mean")
    assert ended.code == 0, ended.err
    again = "koubai run vanishing-gradient --seeds 1 --steps 2 --data &#39;my table.csv&#39; --target kind --missing mean"
    assert again in (tmp_path / "koubai-out" / "vanishing-gradient.html").read_text(encoding="utf-8")


def test_a_study_draws_any_figure_that_can_show_it(command: Command, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[base]\nsteps = 2\n[axes]\nseed = 2\n")
    assert "train-validation" not in USUAL
    assert command("study", "own.toml", "--figure", "train-validation").code == 0
    assert (tmp_path / "koubai-out" / "own-train-validation.html").is_file()
    ended = command("study", "own.toml", "--figure", "filters")
    assert ended.code == 2 and "no figure of this report 'filters'" in ended.err


def test_the_example_study(command: Command, tmp_path: Path) -> None:
    ended = command("study", str(EXAMPLE), "--seeds", "1", "--steps", "5")
    assert ended.code == 0, ended.err
    assert (tmp_path / "koubai-out" / "momentum-and-small-weights.html").is_file()
    studies = Store(tmp_path / "koubai-out" / "store").studies()
    assert [(one["name"], one["trials"]) for one in studies] == [("momentum-and-small-weights", 9)]


@pytest.mark.parametrize(("name", "report"), [("", "own"), ('name = "../../up"', "up"), ('name = "実験 1"', "実験-1")])
def test_a_report_stays_in_its_folder_whatever_the_study_is_called(
    command: Command, tmp_path: Path, name: str, report: str
) -> None:
    (tmp_path / "own.toml").write_text(f"{name}\n[base]\nsteps = 1\n", encoding="utf-8")
    ended = command("study", "own.toml", "--out", "a/b")
    assert ended.code == 0, ended.err
    assert [path.name for path in tmp_path.rglob("*.html")] == [f"{report}.html"]
    assert (tmp_path / "a" / "b" / f"{report}.html").is_file()


def test_a_race_prints_where_each_optimizer_ended(command: Command) -> None:
    ended = command("run", "valley")
    assert ended.code == 0
    for name in ("sgd", "momentum", "adagrad", "rmsprop", "adam"):
        assert any(line.startswith(name) for line in ended.out.splitlines())


def test_stopping_keeps_what_had_finished(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from koubai import laboratory

    (tmp_path / "two.toml").write_text("[base]\nsteps = 3\n[axes]\nseed = 2\n")
    study, store, train = Study(base={"steps": 3}, axes={"seed": 2}), Store(tmp_path / "koubai-out" / "store"), laboratory.train

    def interrupted(*arguments: Any) -> Any:
        if store.has(study.trials):
            raise KeyboardInterrupt
        return train(*arguments)

    monkeypatch.setattr(laboratory, "train", interrupted)
    ended = command("study", "two.toml", "--width", "1")
    assert ended.code == 130
    assert "Stopped." in ended.err
    assert "Traceback" not in ended.err
    assert len(store.has(study.trials)) == 1
    assert not list(tmp_path.rglob("*.html"))

    monkeypatch.setattr(laboratory, "train", train)
    ended = command("study", "two.toml")
    assert ended.code == 0, ended.err
    assert "not trained again: 1 of 2 networks." in ended.out
