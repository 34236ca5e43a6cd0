"""What all commands share: the app and its help in two languages, options, tables."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from koubai import __version__
from koubai.language import UserError, Words, harmless, say, speak, unknown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from koubai.store import Store

OUT = Path("koubai-out")
FRAME = (
    Words("Usage:", "使い方:"),
    Words("Options:", "オプション:"),
    Words("Arguments:", "引数:"),
    Words("Commands:", "コマンド:"),
    Words("Show this message and exit.", "この説明を表示する。"),
    Words("[default: ", "[既定: "),
    Words("[required]", "[必須]"),
)
LONGEST = 120  # bytes of a study's name in a file's: file systems take 255, with what a file in the making has beside its name
FIRST = ("run", "study", "runs", "list")  # in the help; the others stand as they are imported


class Spoken:
    """Help whose frame, which typer writes in English, is in the language in force too."""

    def get_help(self, context: Any) -> str:
        """The help."""
        shown: str = super().get_help(context)  # type: ignore[misc]
        shown = re.sub(r" <(list\[\w+\]|\w+)>(?= )", "", shown)  # Python's types say nothing to a user
        for words in FRAME:
            shown = shown.replace(words.en, say(words))
        return shown


class Command(Spoken, TyperCommand):
    """One command."""


class Group(Spoken, TyperGroup):
    """The commands; what the user can mend is one sentence and exit code 2, a bug of ours keeps its traceback."""

    def list_commands(self, context: Any) -> list[str]:
        """The commands in the help's order."""
        names = super().list_commands(context)
        return sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), names.index(name)))

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


def option(name: str, en: str, ja: str, metavar: str | None = None, **rest: Any) -> Any:
    """An option, its help in the language in force."""
    return typer.Option(name, help=text(en, ja), metavar=metavar, **rest)


def command(name: str, en: str, ja: str, **settings: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register the function below as a command of this name; ``settings`` are those of click's context."""
    return app.command(name, cls=Command, help=text(en, ja), context_settings=settings or None)


Lang = Annotated[
    str | None,
    option(
        "--lang",
        "Language: ja or en. Else the locale's.",
        "言語(ja / en)。指定しなければロケールに従う。",
        "ja|en",
        callback=_lang,
        is_eager=True,
    ),
]
Out = Annotated[Path, option("--out", "Folder of the report and the store.", "レポートと保存先のフォルダ。", "DIR")]
Seeds = Annotated[int | None, option("--seeds", "Train each variant with N seeds.", "各設定をN個のシードで学習する。", "N")]
Steps = Annotated[int | None, option("--steps", "Train each network for N steps.", "各ネットワークをNステップ学習する。", "N")]
Data = Annotated[
    str | None,
    option("--data", "Another data set: a name, a file or a folder.", "別のデータ。名前、ファイル、またはフォルダ。", "NAME"),
]
Target = Annotated[str | None, option("--target", "The column to be predicted, in a table.", "予測する列(表の場合)。", "COLUMN")]
Quick = Annotated[
    bool,
    option(
        "--quick",
        "A first look: three tenths of the seeds, an eighth of the steps.",
        "お試し。シード数は10分の3、ステップ数は8分の1。",
    ),
]
Device = Annotated[
    str,
    option(
        "--device", "Where to train; auto takes a GPU if there is one.", "学習する装置。autoはGPUがあれば使う。", "auto|cpu|cuda"
    ),
]
Fresh = Annotated[bool, option("--fresh", "Train again what is stored.", "保存済みのものも学習し直す。")]
Width = Annotated[
    int | None,
    option(
        "--width",
        "At most N networks in one stack. Else what fits the cache.",
        "1スタックをN個以下にする。既定はキャッシュに収まる数。",
        "N",
    ),
]
Yes = Annotated[bool, option("--yes", "Train very many networks without asking.", "非常に多くても確認せずに学習する。")]
Threads = Annotated[int | None, option("--threads", "Threads of PyTorch.", "PyTorchのスレッド数。", "N")]


@app.callback()
def koubai(
    version: Annotated[
        bool, option("--version", "Print the version.", "バージョンを表示する。", callback=_version, is_eager=True)
    ] = False,
    lang: Lang = None,
) -> None:
    """What stands before the command."""


def file_name(name: str) -> str:
    """A study's name as that of a file, whatever it is called and however long it is."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "study"
    return plain.encode()[:LONGEST].decode(errors="ignore")


def console() -> Console:
    """Where tables go: as wide as the terminal, 120 letters elsewhere. What it is given to print is made ``harmless``."""
    from rich.console import Console
    from rich.text import Text

    class Harmless(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(harmless(text), **options)

    return Harmless(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120)


def table(*heads: str) -> Table:
    """A table without lines: the first column names, the others are numbers."""
    from rich.table import Table

    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        made.add_column(head, justify="left" if not made.columns else "right")
    return made


def rows(title: str, listed: Iterable[tuple[str, str]]) -> None:
    """Print a titled list of names and words."""
    from rich.table import Table

    made = Table(box=None, padding=(0, 2), show_header=False)
    made.add_column(no_wrap=True, style="cyan", min_width=22)
    made.add_column(overflow="fold")
    for row in listed:
        made.add_row(*row)
    out = console()
    out.print(title, style="bold")
    out.print(made, "")


@contextmanager
def interruptible(store: Store) -> Iterator[None]:
    """Ctrl-C ends with a sentence on what is kept, and exit code 130; SIGTERM with 143."""
    from koubai.keeping import Terminated

    try:
        yield
    except KeyboardInterrupt as stopped:
        kept = text(
            f"Stopped. What had finished is kept in {store.folder}; the same command goes on from there.",
            f"中断しました。終わった分は {store.folder} に残っています。同じコマンドで続きから再開できます。",
        )
        print(kept, file=sys.stderr)
        raise typer.Exit(143 if isinstance(stopped, Terminated) else 130) from None
