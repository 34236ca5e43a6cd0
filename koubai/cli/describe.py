"""``koubai describe``: a network as a table, before it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koubai.cli.base import Data, Lang, command, text
from koubai.cli.printing import Table, put
from koubai.language import Words, counted, say, unknown

if TYPE_CHECKING:
    from koubai.spec import Trial


@command(
    "describe",
    "Show a network as a table. Shapes, parameters, operations, memory, and where the time of a step goes. Of a study, each network in it. "
    "A preset without --data is shown at the size that it was made for.",
    "ネットワークを表にします。形、パラメータ数、演算数、メモリ、1ステップの時間の内訳。実験ファイルなら、含まれるネットワークをすべて表示します。"
    "プリセットで --data を省くと、本来の入力サイズで表示します。",
)
def describe(
    what: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help=text(
                "A study's TOML file, or a preset: simple-cnn, deep-cnn, alexnet, alexnet-lrn.",
                "実験のTOMLファイル、またはプリセット(simple-cnn、deep-cnn、alexnet、alexnet-lrn)。",
            ),
        ),
    ],
    data: Data = None,
    lang: Lang = None,
) -> None:
    """Print the table of each network."""
    from koubai.blueprint import NATIVE
    from koubai.data import load
    from koubai.spec import Trial

    if what in NATIVE and data is None:
        _show(Trial(layers=what), *NATIVE[what], "")
        return
    for trial in [Trial(layers=what)] if what in NATIVE else _networks(what):
        trial = trial if data is None else trial.replace({"data": data})
        loaded = load(trial.data)
        _show(trial, loaded.shape, loaded.outputs, str(trial.data))


def _networks(file: str) -> list[Trial]:
    """One trial for each network of a study."""
    from koubai.blueprint import PRESETS
    from koubai.cli.train import _read

    if not file.endswith(".toml") and not Path(file).exists():
        raise unknown(Words("preset or file", "プリセットまたはファイル"), file, PRESETS)
    study = _read(Path(file))
    found = {
        (t.layers, t.activation.name, t.batch_norm, t.dropout > 0, t.data, t.batch_size, t.dtype): t
        for t in reversed(study.trials)
    }
    return list(found.values())[::-1]


HEADS = (
    Words("layer", "層"),
    Words("as written", "記法"),
    Words("output", "出力の形"),
    Words("parameters", "パラメータ"),
    Words("multiply-adds", "積和演算"),
    Words("memory", "メモリ"),
    Words("time", "時間"),
)


def _show(trial: Trial, shape: tuple[int, ...], classes: int, data: str) -> None:
    """Print one network."""
    import torch

    from koubai.blueprint import spell, title
    from koubai.caution import size
    from koubai.networks.inventory import inventory, samples
    from koubai.places import places
    from koubai.places import text as sides
    from koubai.training.cohort import footprint

    rows = inventory(trial, shape, classes)
    where = f"{data}, " if data else ""
    en, ja = ("a quantity", "回帰") if classes == 1 else (f"{classes:,} classes", f"{classes:,} クラス")
    print(
        text(
            f"{title(trial.layers)} on {where}{sides(shape)}, {en}, minibatches of {trial.batch_size}\n",
            f"{title(trial.layers)}({where}入力 {sides(shape)}、{ja}、ミニバッチ {trial.batch_size})\n",
        )
    )
    made = Table(*map(say, HEADS), left=(0, 1))
    for row in rows:
        place = row.place
        written = str(spell(place.part)) if not place.part.own else text("from the trial", "試行の設定")
        counts = (f"{count:,}" if count else "" for count in (place.parameters, place.products))
        made.add_row(place.label, written, sides(place.behind), *counts, size(row.bytes), f"{row.share:.1%}")
    totals = [sum(row.place.parameters for row in rows), sum(row.place.products for row in rows)]
    made.add_row(text("all", "合計"), "", "", *(f"{total:,}" for total in totals), size(sum(row.bytes for row in rows)), "100.0%")
    put(made)
    conv = [row for row in rows if row.place.part.name == "conv"]
    if conv:
        work = sum(row.place.products for row in conv) / totals[1]
        spent = sum(row.share for row in conv)
        print(
            text(
                f"\nConvolutions: {work:.1%} of the multiply-adds, {spent:.1%} of the time.",
                f"\n畳み込み層: 積和演算の {work:.1%}、時間の {spent:.1%}。",
            )
        )
    measured, threads = samples(trial, places(trial, shape, classes)), torch.get_num_threads()
    whole = size(footprint(trial, shape, classes))
    print(
        text(
            f"\nMultiply-adds: one sample, forward. Memory: the outputs of one minibatch; a training takes about {whole} in all."
            f"\nTime: forward and backward of {counted(measured, 'sample')}, measured on this machine (threads: {threads}).",
            f"\n積和演算は1サンプルの順伝播。メモリは1ミニバッチの出力の分。学習全体ではおよそ {whole} を使います。"
            f"\n時間は {measured} サンプルの順伝播と逆伝播をこのマシン(スレッド数 {threads})で測ったものです。",
        )
    )
