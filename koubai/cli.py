"""The command line: it parses, calls and prints. What is heavy is imported inside the commands, so that help and lists are quick.

Texts are said when this module is imported: ``koubai.__main__`` chooses the language before that.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from koubai import __version__
from koubai.language import UserError, Words, say, speak, unknown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from koubai.experiments.catalogue import Exercise
    from koubai.experiments.landscapes import Path as Way
    from koubai.study import Study

OUT = Path("koubai-out")
MAIN = ("vanishing-gradient",)  # what `koubai run` does when no exercise is named


FRAME = (
    Words("Usage:", "使い方:"),
    Words("Options:", "オプション:"),
    Words("Arguments:", "引数:"),
    Words("Commands:", "コマンド:"),
    Words("Show this message and exit.", "この説明を表示する。"),
    Words("[default: ", "[既定: "),
)


class Spoken:
    """Help whose frame, which typer writes in English, is in the language in force too."""

    def get_help(self, context: Any) -> str:
        """The help."""
        shown: str = super().get_help(context)  # type: ignore[misc]
        for words in FRAME:
            shown = shown.replace(words.en, say(words))
        return shown


class Command(Spoken, TyperCommand):
    """One command."""


class Group(Spoken, TyperGroup):
    """The commands; what the user can mend is one sentence and exit code 2, a bug of ours keeps its traceback."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run; ``UserError`` goes to stderr."""
        try:
            return super().main(*args, **options)
        except UserError as error:
            print(error, file=sys.stderr)
            sys.exit(2)


def text(en: str, ja: str) -> str:
    """A text in the language in force."""
    return say(Words(en, ja))


EXAMPLES = text(
    """\b
Three to copy:
  koubai run
  koubai run vanishing-gradient --seeds 5 --steps 500 --lang ja
  koubai study my-study.toml --out my-results

\b
Where results go:
  koubai-out/NAME.html  the report: open it in a browser, no network needed
  koubai-out/store/     every trained network: none is trained twice""",
    """\b
そのまま使える3つの例:
  koubai run
  koubai run vanishing-gradient --seeds 5 --steps 500 --lang ja
  koubai study my-study.toml --out my-results

\b
結果の保存先:
  koubai-out/NAME.html  レポート。ブラウザで開く(ネットワーク不要)
  koubai-out/store/     学習済みのネットワーク。同じものは学習し直さない""",
)

app = typer.Typer(
    name="koubai",
    cls=Group,
    help=text(
        "Koubai (勾配) trains every variant of a neural network side by side and shows where the gradient goes.",
        "Koubai(勾配)は、ニューラルネットワークのあらゆる設定を並べて学習させ、勾配がどこで消えるかを見せます。",
    ),
    epilog=EXAMPLES,
    rich_markup_mode=None,  # plain help: rich cuts Japanese, which has no spaces, short
    context_settings={"max_content_width": 100},
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _lang(choice: str | None) -> None:
    if choice is not None:
        if choice not in ("ja", "en"):
            raise unknown(Words("language", "言語"), choice, ("ja", "en"))
        speak("ja" if choice == "ja" else "en")


def _version(asked: bool) -> None:
    if asked:
        print(f"koubai {__version__}")
        raise typer.Exit


def _option(name: str, en: str, ja: str, metavar: str | None = None, **rest: Any) -> Any:
    return typer.Option(name, help=text(en, ja), metavar=metavar, **rest)


def _command(name: str, en: str, ja: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return app.command(name, cls=Command, help=text(en, ja))


Lang = Annotated[
    str | None,
    _option(
        "--lang",
        "Language: ja or en. Else the locale's.",
        "言語(ja / en)。指定しなければロケールに従う。",
        "ja|en",
        callback=_lang,
        is_eager=True,
    ),
]
Out = Annotated[Path, _option("--out", "Folder of the report and the store.", "レポートと保存先のフォルダ。", "DIR")]
Seeds = Annotated[int | None, _option("--seeds", "Train each variant with N seeds.", "各設定をN個のシードで学習する。", "N")]
Steps = Annotated[int | None, _option("--steps", "Train each network for N steps.", "各ネットワークをNステップ学習する。", "N")]
Data = Annotated[
    str | None,
    _option(
        "--data", "Another data set: a name, or a folder of IDX files.", "別のデータ。名前、またはIDXファイルのフォルダ。", "NAME"
    ),
]
Quick = Annotated[
    bool, _option("--quick", "A first look: 3 seeds, a quarter of the steps.", "お試し。3シード、ステップ数は4分の1。")
]
Device = Annotated[
    str,
    _option(
        "--device", "Where to train; auto takes a GPU if there is one.", "学習する装置。autoはGPUがあれば使う。", "auto|cpu|cuda"
    ),
]
Fresh = Annotated[bool, _option("--fresh", "Train again what is stored.", "保存済みのものも学習し直す。")]
Width = Annotated[
    int | None,
    _option(
        "--width",
        "At most N networks in one stack. Else what fits the cache.",
        "1スタックをN個以下にする。既定はキャッシュに収まる数。",
        "N",
    ),
]
Threads = Annotated[int | None, _option("--threads", "Threads of PyTorch.", "PyTorchのスレッド数。", "N")]


@app.callback()
def koubai(
    version: Annotated[
        bool, _option("--version", "Print the version.", "バージョンを表示する。", callback=_version, is_eager=True)
    ] = False,
    lang: Lang = None,
) -> None:
    """What stands before the command."""


@_command("list", "List the exercises, the techniques and the data sets.", "演習・手法・データセットの一覧を表示します。")
def list_(lang: Lang = None) -> None:
    """List what there is."""
    from koubai.data.builtin import BUILTIN
    from koubai.experiments.catalogue import EXERCISES
    from koubai.spec import KIND_WORDS
    from koubai.techniques import KINDS

    exercises = ((one.name, say(one.title) + text(". ", ": ") + say(one.about)) for one in EXERCISES.values())
    _rows(text("Exercises (koubai run NAME)", "演習(koubai run NAME)"), exercises)
    for kind, techniques in KINDS.items():
        about = ((name, " ".join(filter(None, (say(t.about), _numbers(t.defaults()))))) for name, t in techniques.items())
        _rows(text(f"Techniques: {kind}", f"手法: {say(KIND_WORDS[kind])}({kind})"), about)
    data = ((name, say(source.about)) for name, source in BUILTIN.items())
    _rows(text("Data sets (--data NAME)", "データセット(--data NAME)"), data)


def _numbers(defaults: Mapping[str, float]) -> str:
    listed = ", ".join(f"{name}={value:g}" for name, value in defaults.items())
    return f"({listed})" if listed else ""


@_command(
    "run",
    "Train an exercise, print its table and write its report. Without a name: vanishing-gradient. koubai list names them all.",
    "演習を学習させ、表を表示し、レポートを書きます。名前を省くと vanishing-gradient。一覧は koubai list。",
)
def run(
    exercises: Annotated[
        list[str] | None, typer.Argument(metavar="EXERCISE", help=text("Which; several may be named.", "演習の名前。複数可。"))
    ] = None,
    seeds: Seeds = None,
    steps: Steps = None,
    data: Data = None,
    quick: Quick = False,
    out: Out = OUT,
    fresh: Fresh = False,
    device: Device = "auto",
    width: Width = None,
    threads: Threads = None,
    lang: Lang = None,
) -> None:
    """Conduct exercises."""
    from koubai.experiments.conduct import adapt, named

    chosen = [adapt(one, seeds=seeds, steps=steps, data=data, quick=quick) for one in named(exercises or MAIN)]
    for exercise in chosen:
        _conduct(exercise, out, fresh=fresh, device=device, width=width, threads=threads)


@_command(
    "study",
    "Train a study of your own from a TOML file. It holds a base trial and axes; examples/my-study.toml is one.",
    "TOMLファイルに書いた自分の実験を学習させます。ファイルには基準の試行と軸を書きます(例: examples/my-study.toml)。",
)
def study(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help=text("The study.", "実験のファイル。"))],
    seeds: Seeds = None,
    steps: Steps = None,
    data: Data = None,
    quick: Quick = False,
    out: Out = OUT,
    fresh: Fresh = False,
    device: Device = "auto",
    width: Width = None,
    threads: Threads = None,
    lang: Lang = None,
) -> None:
    """Conduct a study from a file."""
    from koubai.experiments.catalogue import Exercise
    from koubai.experiments.conduct import change

    own = change(_read(file), seeds=seeds, steps=steps, data=data, quick=quick)
    title = Words(own.name, own.name)
    _conduct(Exercise(own.name, title, title, own, ()), out, fresh=fresh, device=device, width=width, threads=threads)


@_command("runs", "List the studies in a store.", "保存先にある実験の一覧を表示します。")
def runs(out: Out = OUT, lang: Lang = None) -> None:
    """List what was run."""
    from koubai.store import Store

    studies = Store(out / "store").studies()
    if not studies:
        print(text(f"Nothing has been run in {out} yet; try: koubai run", f"{out} にはまだ何もありません。まず: koubai run"))
        return
    table = _table(*(say(head) for head in HEADS))
    for one in studies:
        when = datetime.fromtimestamp(one["created"]).strftime("%Y-%m-%d %H:%M")
        best = "" if one["best"] is None else f"{one['best']:.1%}"
        table.add_row(one["name"], when, *(f"{one[key]:,}" for key in ("trials", "stored", "diverged")), best)
    _console().print(table)


HEADS = (
    Words("study", "実験"),
    Words("when", "日時"),
    Words("trials", "試行"),
    Words("stored", "保存済み"),
    Words("diverged", "発散"),
    Words("best validation accuracy", "最高の検証精度"),
)


def _read(file: Path) -> Study:
    """The study in a file, named after the file where it has no name of its own."""
    from koubai.study import Study

    try:
        content = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file} is not a text in UTF-8.", f"{file} はUTF-8のテキストではありません。") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.", f"{file} を読めません({error.strerror})。") from None
    read = Study.from_toml(content, str(file))
    return read if "name" in read.model_fields_set else Study(read.base, name=file.stem, axes=read.axes, zip=read.zip)


def _conduct(exercise: Exercise, out: Path, *, fresh: bool, **options: Any) -> None:
    """Train what is not stored, print the table, write the report, and say where everything is."""
    from koubai.experiments.catalogue import Race
    from koubai.experiments.conduct import conduct
    from koubai.result import Result
    from koubai.store import Store

    store, report = Store(out / "store"), _report(exercise.name, out)
    trials = () if isinstance(exercise.runs, Race) else exercise.runs.trials
    stored = 0 if fresh else len(store.has(trials))
    try:
        outcome = conduct([exercise], store=store, fresh=fresh, **options)[exercise.name]
    except KeyboardInterrupt:
        kept = text(
            f"Stopped. What had finished is kept in {store.folder}; the same command goes on from there.",
            f"中断しました。終わった分は {store.folder} に残っています。同じコマンドで続きから再開できます。",
        )
        print(kept, file=sys.stderr)
        raise typer.Exit(130) from None
    print(f"{say(exercise.title)}\n")
    if not isinstance(outcome, Result):
        _heights(outcome)
        return
    print(repr(outcome))
    if stored:
        print(
            text(
                f"\n{stored:,} of {len(trials):,} networks were in {store.folder} already and were not trained again.",
                f"\n{len(trials):,} 個のうち {stored:,} 個は {store.folder} に保存済みのため、学習し直していません。",
            )
        )
    written = outcome.report(report)
    print(
        text(
            f"\nReport: {written}\nOpen it in a browser: {written.resolve().as_uri()}",
            f"\nレポート: {written}\nブラウザで開く: {written.resolve().as_uri()}",
        )
    )


def _report(name: str, out: Path) -> Path:
    """Where a report goes: whatever a study is called, a file directly in ``out``."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "study"
    report = out / f"{plain}.html"
    if report.is_dir():
        raise UserError(
            f"{report} is a folder; choose another place with --out.",
            f"{report} はフォルダです。--out で別の場所を指定してください。",
        )
    return report


def _heights(paths: Sequence[Way]) -> None:
    """Where the optimizers of a race ended, over all starts."""
    from koubai.experiments.measures import MEASURES

    height = MEASURES["height"]
    rows: dict[tuple[str, float], list[float]] = {}
    for path in paths:
        rows.setdefault((path.optimizer, path.rate), []).append(height.function([path]))
    table = _table(
        *(text(*head) for head in (("optimizer", "最適化手法"), ("learning rate", "学習率"), height.words, ("worst", "最悪")))
    )
    for (name, rate), values in rows.items():
        table.add_row(name, f"{rate:g}", f"{median(values):.3g}", f"{max(values):.3g}")
    _console().print(table)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120)


def _table(*heads: str) -> Table:
    """A table without lines: the first column names, the others are numbers."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        table.add_column(head, justify="left" if not table.columns else "right")
    return table


def _rows(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """A part of ``koubai list``: names and words."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2), show_header=False)
    table.add_column(no_wrap=True, style="cyan", min_width=22)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = _console()
    console.print(title, style="bold")
    console.print(table, "")
