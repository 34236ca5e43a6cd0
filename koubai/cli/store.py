"""``koubai store``: is everything as it was written, take results along, bring results in, clear away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from koubai.cli.base import OUT, Command, Group, Lang, Out, app, option, text
from koubai.language import counted

store = typer.Typer(
    cls=Group,
    help=text(
        "Care for the store: check, export, import, prune.",
        "保存先の手入れをします: 点検、持ち出し、取り込み、片付け。",
    ),
    rich_markup_mode=None,
    no_args_is_help=True,
)
app.add_typer(store, name="store")

Runs = Annotated[
    list[str] | None,
    typer.Argument(metavar="RUN", help=text("Studies, as koubai runs lists them.", "実験の名前か id(一覧は koubai runs)。")),
]


@store.command(
    "check",
    cls=Command,
    help=text(
        "Check every file against the hash of its content, and say what is damaged.",
        "すべてのファイルを中身のハッシュと照合し、壊れているものを示します。",
    ),
)
def check(
    mend: Annotated[
        bool,
        option("--mend", "Put aside what is damaged, keep all else.", "壊れたものを取り除き、ほかを残す。"),
    ] = False,
    out: Out = OUT,
    lang: Lang = None,
) -> None:
    """Look whether a store is sound."""
    from koubai.store import Store, care

    place = Store(out / "store")
    health = care.mend(place) if mend else care.check(place)
    for name, why in health.damaged.items():
        print(text(f"{name} is damaged: {why}.", f"{name} が壊れています({why})。"))
    for name in health.studies:
        print(text(f"The list of trials of the study {name} is damaged.", f"実験 {name} の試行の一覧が壊れています。"))
    fine = health.trials - len(health.lost)
    print(
        text(
            f"{place.folder}: {fine:,} of {counted(health.trials, 'trial')} in {counted(health.files, 'file')} as written.",
            f"{place.folder}: {health.files:,} ファイルの {health.trials:,} 試行のうち {fine:,} 試行が、書かれたときのままです。",
        )
    )
    if health.sound:
        return
    if mend:
        print(text("What was damaged is put aside in damaged/.", "壊れたものは damaged/ に移しました。"), end=" ")
    print(text("Running the studies again trains what is lost.", "実験をもう一度実行すると、失われた分だけ学習し直します。"))
    if not mend:
        raise typer.Exit(1)


@store.command(
    "export",
    cls=Command,
    help=text(
        "Copy studies with their results into a new folder, which is a store itself. Without a name: everything.",
        "実験とその結果を新しいフォルダに写します(それ自体が保存先になります)。名前を省くとすべて。",
    ),
)
def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help=text("The new folder.", "新しいフォルダ。"))],
    runs: Runs = None,
    out: Out = OUT,
    lang: Lang = None,
) -> None:
    """Take results along."""
    from koubai.naming import study_named
    from koubai.store import Store, care

    place = Store(out / "store")
    count = care.export(place, folder, [study_named(place, run).id for run in runs or ()])
    print(
        text(
            f"{folder}: {counted(count, 'trial')}. koubai store import takes them into another store.",
            f"{folder}: {count:,} 試行。別の保存先には koubai store import で取り込めます。",
        )
    )


@store.command(
    "import",
    cls=Command,
    help=text(
        "Bring in what another store holds; what is here already stays as it is.",
        "別の保存先の中身を取り込みます。すでにあるものは変わりません。",
    ),
)
def import_(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help=text("The other store.", "別の保存先。"))],
    out: Out = OUT,
    lang: Lang = None,
) -> None:
    """Bring results in."""
    from koubai.store import Store, care

    place, other = Store(out / "store"), Store(folder)
    count = care.take_in(place, other if other.exists else Store(folder / "store"))
    print(text(f"{place.folder}: {counted(count, 'new trial')}.", f"{place.folder}: 新しく {count:,} 試行を取り込みました。"))


@store.command(
    "prune",
    cls=Command,
    help=text(
        "Delete studies, and remove what no study needs. Without a name: only the latter.",
        "実験を消し、どの実験も使わないものを取り除きます。名前を省くと後者だけ。",
    ),
)
def prune(runs: Runs = None, out: Out = OUT, lang: Lang = None) -> None:
    """Clear away."""
    from koubai.naming import study_named
    from koubai.store import Store, care

    place = Store(out / "store")
    freed = sum(care.forget(place, id) for id in [study_named(place, run).id for run in runs or ()]) + care.prune(place)
    print(text(f"{freed / 1e6:,.1f} MB freed.", f"{freed / 1e6:,.1f} MB を空けました。"))
