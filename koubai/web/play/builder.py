"""Where the network is built: data, layers, techniques with their formulas, and how long it trains."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from koubai.blueprint import PRESETS, named, read
from koubai.caution import shape_and_classes
from koubai.choices import KIND_WORDS, Choice
from koubai.data.builtin import BUILTIN
from koubai.language import UserError, Words
from koubai.places import places
from koubai.spec import Trial
from koubai.techniques import ACTIVATIONS, KINDS, Technique
from koubai.techniques.clipping import CLIPPINGS
from koubai.techniques.dropout import DROPOUTS
from koubai.techniques.normalization import NORMALIZATIONS
from koubai.web.controls import button, check, choice, line, number
from koubai.web.play.bench import FALLBACK, Bench
from koubai.web.play.board import MOST_SEEDS
from koubai.web.play.upload import upload
from koubai.web.shell import formula, put

T = TypeVar("T")

WIDEST = 4096
SHARED = "-"  # the activation of a layer that has none of its own
NORMS = {
    "none": Words("none", "なし"),
    "before": Words("before the activation", "活性化関数の前"),
    "after": Words("after the activation", "活性化関数の後"),
}
MORE = {  # layers that can be added beside dense ones
    "conv 8 3x3 pad 1": Words("convolution", "畳み込み"),
    "maxpool 2": Words("max pooling", "最大プーリング"),
    "avgpool 2": Words("average pooling", "平均プーリング"),
    "batchnorm": Words("batch normalization", "バッチ正規化"),
    "dropout 0.5": Words("dropout", "ドロップアウト"),
}


def builder(bench: Bench) -> None:
    """Put all controls of the base."""
    parts = {
        Words("Data", "データ"): data,
        Words("Network", "ネットワーク"): network,
        Words("Training", "学習のしかた"): training,
    }
    for title, fill in parts.items():
        with put("details", classes="part", open="open"):
            put("summary", title)
            with put("div", classes="controls"):
                fill(bench)


def follow(bench: Bench, get: Callable[[Trial], T], show: Callable[[T], object]) -> None:
    """Call ``show`` with what ``get`` makes of the base whenever that has changed, or a control shows what could not be."""
    before = get(bench.board.base)

    def heard() -> None:
        nonlocal before
        now = get(bench.board.base)
        if now != before or bench.refused:
            before = now
            show(now)

    bench.heard.append(heard)


def anew(bench: Bench, get: Callable[[Trial], Any], fill: Callable[[], None], classes: str = "controls") -> None:
    """What ``fill`` puts, and puts anew whenever what ``get`` makes of the base has changed."""
    place = put("div", classes=classes)

    def show(_: Any = None) -> None:
        place.clear()
        with place:
            fill()

    show()
    follow(bench, get, show)


def data(bench: Bench) -> None:
    """Which data, and how they are prepared."""

    def fill() -> None:
        spec = bench.board.base.data
        options: dict[str, Words | str] = {name: Path(name).name for name in dict.fromkeys([*BUILTIN, *bench.brought, spec.name])}
        choice(Words("data set", "データセット"), options, spec.name, bench.other_data)
        if spec.name in BUILTIN:
            put("p", BUILTIN[spec.name].about, "small soft")
        else:
            change = partial(_changed, bench, "data.target")
            line(Words("column of the classes", "クラスの列"), spec.target or "", lambda name: change(name or None))
        check(Words("standardized", "標準化する"), spec.standardize, partial(_changed, bench, "data.standardize"))
        fewer = Words("training samples (0: all)", "訓練サンプル数(0: すべて)")
        number(fewer, 0, 10**6, spec.samples or 0, lambda count: _changed(bench, "data.samples", int(count) or None), 1)

    anew(bench, lambda trial: (trial.data, *bench.brought), fill)
    upload(bench)


async def _changed(bench: Bench, path: str, value: Any) -> None:
    await bench.edit({path: value})


def network(bench: Bench) -> None:
    """The layers, one below the other, and what stands in each."""
    anew(bench, lambda trial: (trial.layers, trial.data.name), partial(layers, bench), "layer-list")
    technique(bench, "activation")
    technique(bench, "initializer")
    norm = choice(
        Words("batch normalization", "バッチ正規化"), NORMS, bench.board.base.batch_norm, partial(_changed, bench, "batch_norm")
    )
    follow(bench, lambda trial: trial.batch_norm, norm)
    explained(bench, lambda trial: NORMALIZATIONS["batch_norm"] if trial.batch_norm != "none" else None)
    dropped = Words("dropout (share left out)", "ドロップアウト(落とす割合)")
    follow(
        bench,
        lambda trial: trial.dropout,
        number(dropped, 0, 0.95, bench.board.base.dropout, partial(_changed, bench, "dropout"), 0.05),
    )
    explained(bench, lambda trial: DROPOUTS["dropout"] if trial.dropout else None)


def layers(bench: Bench) -> None:
    """A row a layer, with a dense or convolutional layer's own activation in the same row."""
    rows = rows_of(bench.board.base.layers)

    async def stand(made: list[list[Any]]) -> None:
        await bench.edit({"layers": [item for row in made for item in row if item is not None]})

    async def change(k: int, *row: list[Any]) -> None:
        await stand([*rows[:k], *row, *rows[k + 1 :]])

    async def add(item: int | str) -> None:
        dense = next((k for k, (one, _) in enumerate(rows) if isinstance(one, int) or one == "flatten"), len(rows))
        at = dense if isinstance(item, str) and item.split()[0] in ("conv", "maxpool", "avgpool") else len(rows)
        await stand([*rows[:at], [item, None], *rows[at:]])

    fitting = presets(bench)
    if fitting:
        own = Words("layer by layer", "層ごとに指定")
        chosen = named(bench.board.base.layers) or SHARED
        choice(Words("preset", "プリセット"), {SHARED: own, **{name: name for name in fitting}}, chosen, partial(preset, bench))
    for k, (item, activation) in enumerate(rows):
        with put("div", classes="layer-row"):
            if isinstance(item, int):
                label = Words(f"layer {k + 1}: units", f"層 {k + 1}: ユニット数")
                number(label, 1, WIDEST, item, lambda value, k=k, a=activation: change(k, [int(value), a]), 1)  # type: ignore[misc]
            else:
                label = Words(f"layer {k + 1}", f"層 {k + 1}")
                line(label, item, lambda value, k=k, a=activation: change(k, [value, a]))  # type: ignore[misc]
            if isinstance(item, int) or item.startswith("conv"):
                usual = Words("as below", "下と同じ")
                choice(
                    KIND_WORDS["activation"], {SHARED: usual, **{name: name for name in ACTIVATIONS}}, activation or SHARED,
                    lambda name, k=k, i=item: change(k, [i, None if name == SHARED else name]),  # type: ignore[misc]
                )  # fmt: skip
            button("×", partial(change, k), "small-button", aria_label=Words(f"Remove layer {k + 1}", f"層 {k + 1} を外す"))
    with put("div", classes="row"):
        last = next((item for item, _ in reversed(rows) if isinstance(item, int)), 10)
        button(Words("+ dense layer", "+ 全結合層"), lambda: add(last))
        options = {SHARED: Words("+ other layer", "+ ほかの層"), **MORE}
        with put("div", classes="bare"):
            choice(Words("another layer", "ほかの層"), options, SHARED, lambda name: add(name) if name != SHARED else None)


def rows_of(chain: tuple[int | str, ...]) -> list[list[Any]]:
    """Layers as ``[layer, activation or None]``, an activation in the row of the dense or conv layer right before it."""
    rows: list[list[Any]] = []
    for item in chain:
        if item in ACTIVATIONS and rows and rows[-1][1] is None and read(rows[-1][0]).name in ("dense", "conv"):
            rows[-1][1] = item
        elif item != "flatten":
            rows.append([item, None])
    return rows


def presets(bench: Bench) -> list[str]:
    """The presets that the data fit through."""
    found = []
    for name in PRESETS:
        try:
            trial = bench.board.base.replace({"layers": name, "layer_rates": ()})
            places(trial, *shape_and_classes(trial))
        except UserError:
            continue
        found.append(name)
    return found


async def preset(bench: Bench, name: str) -> None:
    """The layers of a preset, or plain ones."""
    await bench.edit({"layers": FALLBACK if name == SHARED else name})


def training(bench: Bench) -> None:
    """Optimizer, rate, schedule, penalty, and how long."""
    base = bench.board.base
    technique(bench, "optimizer")
    rate = number(Words("learning rate", "学習率"), 0, 1e6, base.learning_rate, partial(_changed, bench, "learning_rate"))
    follow(bench, lambda trial: trial.learning_rate, rate)
    technique(bench, "schedule")
    technique(bench, "penalty")
    clipped = Words("largest gradient norm (0: not clipped)", "勾配ノルムの上限(0: クリップしない)")
    clip = number(clipped, 0, 1e6, base.clip_grad_norm, partial(_changed, bench, "clip_grad_norm"))
    follow(bench, lambda trial: trial.clip_grad_norm, clip)
    explained(bench, lambda trial: CLIPPINGS["clip_grad_norm"] if trial.clip_grad_norm else None)
    for field, label, most in (
        ("batch_size", Words("batch size", "バッチサイズ"), 10**6),
        ("steps", Words("steps", "ステップ数"), 10**7),
    ):
        whole = number(label, 1, most, getattr(base, field), partial(_whole, bench, field), 1)
        follow(bench, lambda trial, field=field: getattr(trial, field), whole)  # type: ignore[misc]

    def seeds(value: float) -> Any:
        return bench.change(lambda board: board.with_seeds(int(value)))

    number(Words("seeds of each variant", "設定ごとのシード数"), 1, MOST_SEEDS, bench.board.seeds, seeds, 1)


async def _whole(bench: Bench, field: str, value: float) -> None:
    await bench.edit({field: round(value)})


def technique(bench: Bench, field: str) -> None:
    """A technique by name, with its formula, what it is, and its numbers."""
    kind = KINDS[field]

    def chosen(trial: Trial) -> Choice:
        return getattr(trial, field)

    pick = choice(KIND_WORDS[field], list(kind), chosen(bench.board.base).name, partial(_changed, bench, field))
    follow(bench, lambda trial: chosen(trial).name, pick)
    explained(bench, lambda trial: kind[chosen(trial).name])

    def numbers() -> None:
        now = chosen(bench.board.base)
        for name, value in now.numbers.items():
            about = kind[now.name].numbers[name]
            words = Words(f"{name}: {about.about.en}", f"{name}: {about.about.ja}") if about.about.en else name
            change = partial(_whole if about.whole else _changed, bench, f"{field}.{name}")
            number(words, *about.ends, value, change)

    anew(bench, lambda trial: chosen(trial).name, numbers, "numbers")


def explained(bench: Bench, which: Callable[[Trial], Technique | None]) -> None:
    """A technique's formula and what it is."""

    def fill() -> None:
        one = which(bench.board.base)
        if one is not None:
            if not one.formula.isdecimal():  # "1" of a constant rate, "0" of no penalty say nothing
                formula(one.formula)
            put("p", one.about, "small soft")

    anew(bench, lambda trial: getattr(which(trial), "name", None), fill, "explained")
