"""One small picture for each kind of technique: its data here, and drawn twice, in a terminal and as a plotly figure.

A kind gets its picture by one function below; ``PICTURES`` names them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from koubai.language import UserError, Words, language, say
from koubai.report import maps
from koubai.techniques import ACTIVATIONS, Technique

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WIDTH, HEIGHT = 64, 14  # letters of a picture in a terminal
TOTAL = 2000  # steps of the training whose rates are drawn
DOWN = 60  # steps down the valley
UNITS, LAYERS, SAMPLES = 100, 5, 200  # of the untrained network whose activations are measured
# in the valley
RATES = {"sgd": 0.95, "momentum": 0.1, "nesterov": 0.1, "adagrad": 1.5, "rmsprop": 0.1, "adam": 0.3, "adamw": 0.3}


@dataclass(frozen=True)
class Line:
    """One line of a picture, or with ``points`` its points alone."""

    name: Words
    x: np.ndarray
    y: np.ndarray
    points: bool = False


@dataclass(frozen=True)
class Picture:
    """A few lines over common axes; ``log`` where the upward axis is logarithmic."""

    title: Words
    x: Words
    y: Words
    lines: tuple[Line, ...]
    log: bool = False


def picture(kind: str, technique: Technique) -> Picture | maps.Maps | None:
    """The picture of a technique, its numbers at their defaults; ``None`` where there is none."""
    return PICTURES[kind](technique) if kind in PICTURES else None


def activation(technique: Technique) -> Picture:
    """The function and its derivative."""
    import torch

    x = torch.linspace(-5, 5, 401, dtype=torch.float64)
    y, slope = values(technique, x)
    lines = (Line(Words("f", "f"), x.numpy(), y), Line(Words("f', its slope", "f'(傾き)"), x.numpy(), slope))
    return Picture(
        Words(f"{technique.name} and its slope", f"{technique.name} とその傾き"), Words("x", "x"), Words("f, f'", "f, f'"), lines
    )


def values(technique: Technique, x: Any) -> tuple[np.ndarray, np.ndarray]:
    """An activation and its derivative at ``x`` (float64): by its own backward, or autograd's where it has none."""
    import torch

    backward = getattr(technique, "backward_function", None)
    if backward is None:
        with torch.enable_grad():
            leaf = x.clone().requires_grad_()
            y = technique(leaf, **technique.defaults())
            (slope,) = torch.autograd.grad(y.sum(), leaf)
        return y.detach().numpy(), slope.numpy()
    y, slope = torch.empty_like(x), torch.empty_like(x)
    technique(x, y, **technique.defaults())
    backward(torch.ones_like(x), x, y, slope, **technique.defaults())
    return y.numpy(), slope.numpy()


def initializer(technique: Technique) -> Picture:
    """The spread of activations after each of five untrained layers, for three activations."""
    lines = []
    for name in ("sigmoid", "tanh", "relu"):
        spread = [signal.std(ddof=1) for signal in signals(technique, technique.defaults(), ACTIVATIONS[name])]
        lines.append(Line(Words(name, name), np.arange(LAYERS + 1.0), np.array(spread)))
    title = Words(
        f"Standard deviation of activations by depth, {technique.name} ({UNITS} units)",
        f"層の深さと活性の標準偏差、{technique.name}({UNITS}ユニット)",
    )
    return Picture(title, Words("layer (0: input)", "層(0は入力)"), Words("standard deviation", "標準偏差"), tuple(lines))


def signals(initializer: Technique, numbers: Mapping[str, float], activation: Technique) -> list[np.ndarray]:
    """Normal inputs, and what each of five untrained layers makes of them, ``[sample, unit]`` each."""
    import torch

    from koubai.streams import generator

    draw = generator(0, "picture")
    signal = torch.randn(SAMPLES, UNITS, dtype=torch.float64, generator=draw)
    made = [signal.numpy()]
    for _ in range(LAYERS):
        normal = torch.randn(UNITS, UNITS, dtype=torch.float64, generator=draw)
        weight = initializer(normal, UNITS, UNITS, **numbers)
        signal = torch.from_numpy(values(activation, signal @ weight.T)[0])
        made.append(signal.numpy())
    return made


def normalization(technique: Technique) -> Picture | None:
    """The sums of one unit over a minibatch, before and after; for batch normalization alone."""
    import torch

    from koubai.streams import generator

    if technique.name != "batch_norm":
        return None
    x = 3 + 2 * torch.randn(1, 1, 2000, dtype=torch.float64, generator=generator(0, "picture"))
    one, y = torch.ones(1, 1, 1, dtype=torch.float64), torch.empty_like(x)
    technique(x, one, 0 * one, y)
    edges = np.linspace(-4, 10, 57)
    counts = [np.histogram(part.numpy().ravel(), edges)[0] for part in (x, y)]
    middle = (edges[:-1] + edges[1:]) / 2
    names = (Words("before: mean 3, standard deviation 2", "前: 平均3、標準偏差2"), Words("after", "後"))
    lines = tuple(Line(name, middle, count.astype(float)) for name, count in zip(names, counts, strict=True))
    title = Words(
        f"A unit's values over 2,000 samples, before and after {technique.name}",
        f"あるユニットの2,000サンプルの値、{technique.name} の前と後",
    )
    return Picture(title, Words("value", "値"), Words("samples", "サンプル数"), lines)


def optimizer(technique: Technique) -> Picture:
    """The way down a long valley, beside plain gradient descent."""
    from koubai.choices import choose
    from koubai.landscapes import race

    lines = []
    for name in dict.fromkeys((technique.name, "sgd")):
        rate = RATES.get(name, 0.1)
        (path,) = race("valley", {name: (choose("optimizer", name), rate)}, DOWN, 1)
        f = path.values
        lines.append(
            Line(Words(f"{name}, learning rate {rate:g}", f"{name}、学習率 {rate:g}"), np.arange(len(f), dtype=float), f)
        )
    title = Words("Down the valley f = x²/20 + y² from (-7, 2)", "谷 f = x²/20 + y² を (-7, 2) から下る")
    return Picture(title, Words("step", "ステップ"), Words("f", "f"), tuple(lines), log=True)


def schedule(technique: Technique) -> Picture:
    """The share of the learning rate over a training of 2,000 steps."""
    import torch

    t = torch.arange(TOTAL, dtype=torch.float64)
    share = technique(t, TOTAL, **technique.defaults()).numpy()
    line = Line(Words(technique.name, technique.name), t.numpy(), share)
    title = Words(f"{technique.name} over a training of {TOTAL:,} steps", f"{TOTAL:,}ステップの学習での {technique.name}")
    return Picture(title, Words("step", "ステップ"), Words("share of the learning rate", "学習率の倍率"), (line,))


def penalty(technique: Technique) -> Picture:
    """Value and pull of the penalty on one weight around 0, another weight held at 1, lambda at 1."""
    import torch

    w = torch.arange(-200, 201, dtype=torch.float64) / 100  # 0 itself is among them
    weights = torch.stack([w, torch.ones_like(w)], 1)[:, None, :]  # [trial, 1, weight]
    pull = torch.zeros_like(weights)
    numbers = {name: 1.0 if name == "strength" else value for name, value in technique.defaults().items()}
    technique([weights], [pull], **numbers)
    slope = pull[:, 0, 0].numpy()
    steps = np.diff(w.numpy()) * (slope[1:] + slope[:-1]) / 2
    value = np.concatenate([[0.0], np.cumsum(steps)])
    value -= value[len(value) // 2]
    lines = (
        Line(Words("penalty, above its value at w = 0", "罰則(w = 0 との差)"), w.numpy(), value),
        Line(Words("its gradient", "その勾配"), w.numpy(), slope),
    )
    title = Words(f"{technique.name} on one weight (λ = 1)", f"1つの重みにかかる {technique.name}(λ = 1)")
    return Picture(title, Words("w", "w"), Words("penalty, gradient", "罰則, 勾配"), lines)


def dropout(technique: Technique) -> Picture:
    """What 60 units that all give 1 pass on in one step, at a rate of 0.2."""
    import torch

    from koubai.streams import generator

    rate, ones = 0.2, torch.ones(60, dtype=torch.float64)
    y, mask = torch.empty_like(ones), torch.empty_like(ones)
    technique(ones, torch.rand(60, dtype=torch.float64, generator=generator(0, "picture")), rate, y, mask)
    x = np.arange(1.0, 61.0)
    passed = f"1 / (1 - {rate:g}) = {1 / (1 - rate):g}"
    lines = (
        Line(Words(f"passed on: 0, or {passed}", f"出力: 0 または {passed}"), x, y.numpy(), points=True),
        Line(Words("mean of this mask", "このマスクでの平均"), x, np.full(60, float(y.mean()))),
    )
    title = Words(
        f"One mask over 60 units that all give 1 (dropout rate {rate:g})",
        f"すべて1を出す60ユニットへのマスクの例(ドロップアウト率 {rate:g})",
    )
    return Picture(title, Words("unit", "ユニット"), Words("passed on", "出力"), lines)


PICTURES: Mapping[str, Callable[[Technique], Picture | maps.Maps | None]] = {
    "activation": activation,
    "initializer": initializer,
    "normalization": normalization,
    "optimizer": optimizer,
    "schedule": schedule,
    "penalty": penalty,
    "dropout": dropout,
    "convolution": maps.convolution,
    "pooling": maps.pooling,
    "augmentation": maps.augmentation,
}


def figure(drawn: Picture | maps.Maps) -> Figure:
    """The picture in plotly, its texts in the language in force."""
    from koubai.report import style

    if isinstance(drawn, maps.Maps):
        return maps.figure(drawn)
    title = {"text": style.escaped(say(drawn.title)), "font": {"size": 15}, "x": 0.01}
    made = style.blank(title=title, legend={"y": -0.26}, margin={"b": 100})
    for k, line in enumerate(drawn.lines):
        made.add_scatter(
            x=style.rounded(line.x),
            y=style.rounded(line.y),
            name=say(line.name),
            mode="markers" if line.points else "lines",
            line={"color": style.color(k), "width": 2, "dash": style.DASHES[k]},
            marker={"color": style.color(k), "symbol": style.SYMBOLS[k]},
            showlegend=True,
        )
    return style.axes(made, drawn.x, drawn.y, logy=drawn.log)


def write(path: Path, pictures: Iterable[Picture | maps.Maps]) -> Path:
    """Write pictures as one HTML file that needs no network. Raises ``UserError`` where it cannot be written."""
    import html

    from koubai.store import write_out

    drawn = list(pictures)
    if not drawn:
        raise UserError("There is no picture to write.", "書き出す図がありません。")
    parts = [
        figure(one).to_html(full_html=False, include_plotlyjs=not k, config={"responsive": True, "displayModeBar": False})
        for k, one in enumerate(drawn)
    ]
    head = (
        f'<!doctype html>\n<html lang="{language()}">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(say(drawn[0].title))}</title>\n"
    )
    return write_out(path, (head + "\n".join(parts) + "\n</html>\n").encode())


def as_text(drawn: Picture | maps.Maps) -> str:
    """The picture in braille, for a terminal: ``WIDTH`` by ``HEIGHT`` letters, beside its axes' ends and a legend; maps in shades."""
    from rich.cells import cell_len

    from koubai.report.braille import MARKS, canvas

    if isinstance(drawn, maps.Maps):
        return maps.as_text(drawn)
    lines = [(line.x, np.log10(np.maximum(line.y, 1e-300)) if drawn.log else line.y, line.points) for line in drawn.lines]
    finite = np.concatenate([y[np.isfinite(y)] for _, y, _ in lines])
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if drawn.log:
        low = max(low, -9.0)
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    left, right = float(min(x.min() for x, _, _ in lines)), float(max(x.max() for x, _, _ in lines))
    named = [f"{10**end if drawn.log else end:.3g}" for end in (high, low)]
    margin = max(map(len, named))
    rows = canvas(lines, WIDTH, HEIGHT, (left, right, low, high))
    ends = [named[0], *[""] * (HEIGHT - 2), named[1]]
    made = [say(drawn.title), *(f"{end:>{margin}} ┤{row}" for end, row in zip(ends, rows, strict=True))]
    first, last = f"{left:g}", f"{right:g}"
    free = WIDTH - len(first) - len(last) - cell_len(say(drawn.x))
    made.append(" " * margin + " └" + "─" * WIDTH)
    made.append(f"{' ' * (margin + 2)}{first}{' ' * (free // 2)}{say(drawn.x)}{' ' * (free - free // 2)}{last}")
    made += [
        f"{' ' * (margin + 2)}{MARKS['points' if line.points else k]} {say(line.name)}" for k, line in enumerate(drawn.lines)
    ]
    return "\n".join(made)
