"""``koubai export`` and ``koubai predict``: a trained network taken along, and put to work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koubai.cli.base import OUT, Lang, Out, command, option, text
from koubai.cli.printing import Table, put, put_json
from koubai.language import Words, say

if TYPE_CHECKING:
    import numpy as np

    from koubai.result import Best

Run = Annotated[
    str, typer.Argument(metavar="RUN", help=text("A study, as koubai runs lists it.", "実験の名前か id(一覧は koubai runs)。"))
]
TRIAL = text(
    "best, or a number or the beginning of an id, as koubai runs RUN lists them.",
    "best、または番号か id の先頭(一覧は koubai runs RUN)。",
)


@command(
    "export",
    "Write a trained network into a folder. A plain torch.nn.Module as Python, its weights, and what it takes and gives.",
    "学習済みのネットワークをフォルダに書き出します。素の torch.nn.Module のPythonコード、重み、入出力の説明。",
)
def export(
    run: Run,
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help=TRIAL)] = "best",
    to: Annotated[
        Path | None, option("--to", "The new folder. Else in --out.", "新しいフォルダ。既定は --out の中。", "DIR")
    ] = None,
    onnx: Annotated[bool, option("--onnx", "Write model.onnx too, checked.", "model.onnx も書き出し、検算する。")] = False,
    out: Out = OUT,
    lang: Lang = None,
) -> None:
    """Take a network along."""
    from koubai.export import export as write
    from koubai.measures import is_regression, scored, spelled
    from koubai.naming import file_name

    name, best = _named(run, trial, out)
    record = best.record
    folder = write(record, to or out / f"{file_name(name)}-{record.trial.id[:8]}", name, onnx)
    value = spelled(record.final("validation_accuracy"), is_regression(record))
    words = Words(
        f"{folder}: trial {record.trial.id[:8]} of {name}, validation accuracy {value}. Its README.md says how to use it.",
        f"{folder}: {name} の試行 {record.trial.id[:8]}(検証精度 {value})。使い方は中の README.md にあります。",
    )
    print(say(scored(words, [record])))


@command(
    "predict",
    "Let a trained network judge new data. An image, a folder of images, a CSV or Parquet file with the columns of its training, an "
    ".npz or a folder of .npy with x, or images in IDX or CIFAR's binary form.",
    "学習済みのネットワークで新しいデータを判定します。画像、画像のフォルダ、学習時と同じ列のCSV・Parquet、配列 x の入った .npz や "
    ".npy のフォルダ、IDXやCIFARのバイナリ形式の画像。",
)
def predict(
    run: Run,
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help=TRIAL)],
    path: Annotated[Path, typer.Argument(metavar="PATH", help=text("The new data.", "判定するデータ。"))],
    json: Annotated[bool, option("--json", "As JSON, with all probabilities.", "すべての確率をJSONで出す。")] = False,
    out: Out = OUT,
    lang: Lang = None,
) -> None:
    """Put a network to work."""
    _, best = _named(run, trial, out)
    made = best.predict(path)
    if made.values is not None:
        _quantities(made.names, made.values, json)
        return
    if json:
        judged = [
            {"name": name, "class": chosen, "probabilities": dict(zip(made.classes, map(float, row), strict=True))}
            for name, chosen, row in zip(made.names, made.chosen, made.probabilities, strict=True)
        ]
        put_json(judged)
        return
    listed = Table(text("sample", "サンプル"), text("class", "クラス"), text("probability", "確率"))
    for name, chosen, row in zip(made.names, made.chosen, made.probabilities, strict=True):
        listed.add_row(name, chosen, f"{row.max():.1%}")
    put(listed)


def _quantities(names: Sequence[str], values: np.ndarray, json: bool) -> None:
    """Print what was predicted, in the unit of the target."""
    if json:
        rows = [{"name": name, "value": float(value)} for name, value in zip(names, values, strict=True)]
        put_json(rows)
        return
    listed = Table(text("sample", "サンプル"), text("value", "予測値"))
    for name, value in zip(names, values, strict=True):
        listed.add_row(name, f"{value:.6g}")
    put(listed)


def _named(run: str, trial: str, out: Path) -> tuple[str, Best]:
    """The study's name and the trial."""
    from koubai.naming import result_named, trial_named
    from koubai.store import Store

    result = result_named(Store(out / "store"), run)
    return result.study.name, trial_named(result, trial)
