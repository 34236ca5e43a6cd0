"""What all commands share: the app, its help and what it says of wrong usage in two languages, and options."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import BadParameter
from typer.core import TyperCommand, TyperGroup

from koubai import __version__
from koubai.language import UserError, Words, say, speak, unknown

if TYPE_CHECKING:
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
UsageError: Any = BadParameter.__mro__[1]  # typer names it differently from version to version
FIRST = ("run", "study", "runs", "list")  # in the help; the others stand as they are imported


class Spoken:
    """Help whose frame, which typer writes in English, is in the language in force too; and so is what is wrong with the usage."""

    def get_help(self, context: Any) -> str:
        """The help."""
        for parameter in self.params:  # type: ignore[attr-defined]
            if parameter.param_type_name == "argument":
                parameter.display_type_rich = lambda ctx: None  # Python's types say nothing to a user
        shown: str = super().get_help(context)  # type: ignore[misc]
        shown = re.sub(r"\{(\w+)\}", r"\1", shown)
        for words in FRAME:
            shown = shown.replace(words.en, say(words))
        return shown

    def get_short_help_str(self, limit: int = 0) -> str:
        """What stands beside the name in a list of commands: the first sentence."""
        return re.split(r"(?<=\.) |(?<=。)", str(self.help))[0]  # type: ignore[attr-defined]

    def parse_args(self, context: Any, args: list[str]) -> Any:
        """What was typed, read. Raises ``UserError`` for what it cannot be."""
        try:
            return super().parse_args(context, args)  # type: ignore[misc]
        except UsageError as error:
            raise explained(error, context) from None


def explained(error: Any, context: Any) -> Exception:
    """What was wrong with the usage, as a sentence in both languages; help that is shown in place of an error as it is.

    Typer tells it in English, with Python's words for what a number is.
    """
    name, kind = context.command_path, type(error).__name__
    see, ja = f"{name} --help shows how.", f"(使い方: {name} --help)。"
    if kind == "NoArgsIsHelpError":
        return error
    if kind == "NoSuchOption":
        known = [option for parameter in context.command.params for option in parameter.opts if option.startswith("-")]
        return unknown(Words(f"option of {name}", f"{name} のオプション"), error.option_name, [*known, "--help"])
    if kind == "BadOptionUsage":
        needs = "requires" in error.message
        return UserError(
            f"{error.option_name} takes {'a' if needs else 'no'} value; {see}",
            f"{error.option_name} には値{'が必要です' if needs else 'を付けられません'}{ja}",
        )
    if isinstance(error, BadParameter):
        parameter: Any = error.param
        which = parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar
        if kind == "MissingParameter":
            return UserError(f"{name} needs {which}; {see}", f"{name} には {which} が必要です{ja}")
        # as all numbers are
        return UserError(f"{which} must be a whole number; {see}", f"{which} には整数を指定してください{ja}")
    extra = error.message.partition(" (")[2].removesuffix(")")
    return UserError(f"{extra!r} is more than {name} takes; {see}", f"{extra!r} は {name} には余分です{ja}")


class Command(Spoken, TyperCommand):
    """One command."""


class Group(Spoken, TyperGroup):
    """The commands; what the user can mend is one sentence and exit code 2, a bug of ours keeps its traceback."""

    def list_commands(self, context: Any) -> list[str]:
        """The commands in the help's order."""
        names = super().list_commands(context)
        return sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), names.index(name)))

    def resolve_command(self, context: Any, args: list[str]) -> Any:
        """The command that is called. Raises ``UserError`` where there is none of this name."""
        if args[0] not in self.commands:
            raise unknown(Words("command", "コマンド"), args[0], self.list_commands(context))
        return super().resolve_command(context, args)

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
Three examples to copy:
  koubai run
  koubai run vanishing-gradient --seeds 5 --steps 500 --lang ja
  koubai study my-study.toml --out my-results

\b
Where results go:
  koubai-out/NAME.html  the report: open it in a browser, offline too
  koubai-out/store/     every trained network: none is trained twice""",
    """\b
そのまま使える3つの例:
  koubai run
  koubai run vanishing-gradient --seeds 5 --steps 500 --lang ja
  koubai study my-study.toml --out my-results

\b
結果の保存先:
  koubai-out/NAME.html  レポート。ブラウザで開く(オフラインでも読める)
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


def _lang(choice: str | None) -> str | None:
    if choice is not None:
        if choice not in ("ja", "en"):
            raise unknown(Words("language", "言語"), choice, ("ja", "en"))
        speak("ja" if choice == "ja" else "en")
    return choice  # what a command is given


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
Missing = Annotated[
    str | None,
    option(
        "--missing",
        "Missing values of a table: mean fills them, drop leaves their rows out.",
        "表の欠損値。mean は平均で補い、drop はその行を除く。",
        "mean|drop",
    ),
]
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
Threads = Annotated[int | None, option("--threads", "Number of PyTorch threads.", "PyTorchのスレッド数。", "N")]


@app.callback()
def koubai(
    version: Annotated[
        bool, option("--version", "Print the version.", "バージョンを表示する。", callback=_version, is_eager=True)
    ] = False,
    lang: Lang = None,
) -> None:
    """What stands before the command."""


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
