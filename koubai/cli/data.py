"""``koubai data``: what a data set holds, before anything is trained on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated

import typer

from koubai.cli.base import Lang, Target, command, option, text
from koubai.cli.printing import Table, console, hanging, put
from koubai.language import say

if TYPE_CHECKING:
    import numpy as np

    from koubai.data.found import Found
    from koubai.spec import Data

CLASSES, FEATURES, ROWS, COLUMNS, IMAGES, WIDE = 20, 20, 5, 7, 8, 28  # at most so many are shown

Drop = Annotated[
    list[str] | None,
    option("--drop", "A column to leave out; may be repeated.", "除く列。複数回指定できる。", "COLUMN"),
]
Task = Annotated[
    str | None,
    option(
        "--task",
        "Whether the target is classes or a quantity. Else the target itself decides.",
        "target がクラスか連続量か。省くと target の値から決める。",
        "classification|regression",
    ),
]
Size = Annotated[int | None, option("--size", "Crop and resize images to N x N.", "画像をN x Nに切り抜き、拡大縮小する。", "N")]


@command(
    "data",
    "Show what a data set holds. Counts, classes, values, examples and problems of one that koubai list names, of a file or of a folder.",
    "データセットの中身を表示します。個数、クラス、値、例、問題点。koubai list にある名前、ファイル、フォルダを指定します。",
)
def data(
    name: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help=text("A data set: its name, a file or a folder.", "データセットの名前、ファイル、またはフォルダ。"),
        ),
    ],
    target: Target = None,
    drop: Drop = None,
    size: Size = None,
    task: Task = None,
    lang: Lang = None,
) -> None:
    """Look at data."""
    from koubai.data.dataset import read
    from koubai.data.problems import problems
    from koubai.spec import Trial

    asked = {"target": target, "drop": drop, "size": size, "task": task}
    spec = Trial(data={"name": name, **{key: value for key, value in asked.items() if value is not None}}).data
    found = read(spec.model_copy(update={"missing": "mean"}))
    out = console()
    out.print(f"{name}: {say(found.kind)}\n", style="bold")
    for shown in (
        _facts(found),
        _classes(found) if found.classes else _target(found),
        *([_features(found)] if found.columns else ()),
    ):
        put(shown)
        print()
    out.print(text("Examples", "例"), style="bold")
    put(_images(found, out.width) if found.is_image else _rows(found))
    print()
    known = problems(found)
    if known:
        out.print(text("Worth knowing", "注意点"), style="bold")
        for words in known:
            hanging("-", say(words), 2)
        print()
    lacking = {"missing": "mean"} if found.missing or any('"mean"' in words.en for words in known) else {}
    print(text("In a study's file: ", "実験のファイルでの書き方: ") + f"data = {_inline(spec.model_copy(update=lacking))}")


def _facts(found: Found) -> Table:
    facts = Table(left=(0, 1))
    tested = text("; validated on a part of them", "(一部を検証に使う)")
    if found.test is not None:
        tested = text(f" for training, {len(found.test[1]):,} for testing", f"(訓練用)、{len(found.test[1]):,}(テスト用)")
    shape = " x ".join(map(str, found.shape))
    kind = text(" (channels x height x width)", "(チャンネル x 高さ x 幅)") if len(found.shape) == 3 else ""
    kind = text(" (height x width)", "(高さ x 幅)") if len(found.shape) == 2 else kind
    low, high, mean = _spread(found.x)
    scaled = text("; in training 0 to 1", "(学習時は0〜1)") if found.x.dtype == "uint8" else ""
    facts.add_row(text("samples", "サンプル"), f"{len(found.y):,}{tested}")
    facts.add_row(text("features", "特徴量"), f"{shape}{kind}")
    facts.add_row(text("task", "課題"), _task(found))
    facts.add_row(text("values", "値"), text(f"{low} to {high}, mean {mean}", f"{low} 〜 {high}、平均 {mean}") + scaled)
    return facts


def _task(found: Found) -> str:
    """What is to be predicted, and how to ask for the other."""
    if found.classes:
        count = f"{len(found.classes):,}"
        return text(f"classification, {count} classes", f"分類({count} クラス)")
    other = 'task = "classification"'
    return text(f"regression: the target is a quantity (else: {other})", f"回帰: target は連続量(分類にするなら {other})")


def _target(found: Found) -> Table:
    """A quantity that is to be predicted."""
    parts = [found.y] if found.test is None else [found.y, found.test[1]]
    names = (
        [text("target", "target")] if len(parts) == 1 else [text("target, training", "target(訓練用)"), text("test", "テスト用")]
    )
    heads = (("least", "最小"), ("mean", "平均"), ("greatest", "最大"), ("standard deviation", "標準偏差"))
    listed = Table("", *(text(*head) for head in heads))
    for name, y in zip(names, parts, strict=True):
        low, high, mean = _spread(y)
        listed.add_row(name, low, mean, high, f"{y.std():.4g}")
    return listed


def _classes(found: Found) -> Table:
    import numpy as np

    parts = [found.y] if found.test is None else [found.y, found.test[1]]
    heads = [text("training", "訓練用"), text("test", "テスト用")] if len(parts) == 2 else [text("samples", "サンプル")]
    listed = Table(text("class", "クラス"), *heads, text("share", "割合"))
    counts = [np.bincount(part, minlength=len(found.classes)) for part in parts]
    for k, name in enumerate(found.classes[:CLASSES]):
        listed.add_row(name, *(f"{count[k]:,}" for count in counts), f"{counts[0][k] / len(found.y):.1%}")
    return _more(listed, len(found.classes) - CLASSES)


def _features(found: Found) -> Table:
    listed = Table(
        text("feature", "特徴量"), *(text(*head) for head in (("least", "最小"), ("mean", "平均"), ("greatest", "最大")))
    )
    for k, name in enumerate(found.columns[:FEATURES]):
        low, high, mean = _spread(found.x[:, k])
        listed.add_row(name, low, mean, high)
    return _more(listed, len(found.columns) - FEATURES)


def _spread(x: np.ndarray) -> tuple[str, str, str]:
    """Least, greatest and mean, of what is not missing."""
    import numpy as np

    there = x if x.dtype == np.uint8 or not np.isnan(x.min()) else x[~np.isnan(x)]
    if not there.size:
        return "-", "-", "-"
    return f"{there.min():.6g}", f"{there.max():.6g}", f"{there.mean(dtype=np.float64):.4g}"


def _more(listed: Table, rest: int) -> Table:
    if rest > 0:
        listed.add_row(text(f"... and {rest:,} more", f"... ほか {rest:,}"))
    return listed


def _firsts(found: Found, most: int) -> Iterator[tuple[str, np.ndarray]]:
    """The first sample of each class; of a quantity the first samples."""
    if not found.classes:
        yield from ((f"{y:g}", x) for y, x in zip(found.y[:most], found.x[:most], strict=True))
    for k, name in enumerate(found.classes[:most]):
        if (found.y == k).any():
            yield name, found.x[(found.y == k).argmax()]


def _rows(found: Found) -> Table:
    features = int(found.x[0].size)
    names = found.columns or [str(k) for k in range(features)]
    listed = Table(text("class", "クラス") if found.classes else "target", *names[:COLUMNS], *["..."] * (features > COLUMNS))
    for name, sample in _firsts(found, ROWS):
        listed.add_row(name, *(f"{value:.4g}" for value in sample.reshape(-1)[:COLUMNS]))
    return listed


def _images(found: Found, width: int) -> Table:
    """One image of each class, side by side, drawn in letters."""
    images = [[name, *drawn(sample), ""] for name, sample in _firsts(found, IMAGES)]
    side = max(1, min(4, width // (WIDE + 2)))
    made = Table(left=range(side))
    for start in range(0, len(images), side):
        for row in zip_longest(*images[start : start + side], fillvalue=""):
            made.add_row(*row)
    return made


def drawn(image: np.ndarray) -> list[str]:
    """An image ``[height, width]`` or ``[channel, height, width]`` as lines of block letters, each two pixels high and one wide."""
    import numpy as np

    from koubai.report.maps import SHADES

    grey = image.astype(np.float64) if image.ndim == 2 else image.astype(np.float64).mean(0)
    grey = grey - np.nanmin(grey)
    grey = np.nan_to_num(grey / (grey.max() or 1))
    step = -(-max(grey.shape) // WIDE)
    for axis, width in ((0, 2 * step), (1, step)):
        edges = np.arange(0, grey.shape[axis], width)
        size = np.diff([*edges, grey.shape[axis]])
        grey = np.add.reduceat(grey, edges, axis) / (size[:, None] if axis == 0 else size)
    return ["".join(SHADES[round(value * (len(SHADES) - 1))] for value in row) for row in grey]


def _inline(spec: Data) -> str:
    """The data as a study's file has them."""
    form = spec.compact()
    if isinstance(form, str):
        return json.dumps(form, ensure_ascii=False)
    return "{ " + ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in form.items()) + " }"
