"""Answers that are worked out: the chain rule, the sigmoid's slope, ridge regression, the two norms, a convolution's size."""

from __future__ import annotations

import numpy as np

from koubai.answers.base import Answer, same
from koubai.answers.sizes import worked
from koubai.chain import differentiate
from koubai.language import Words
from koubai.report.figures.surfaces import best_within, limit
from koubai.store import Store
from koubai.techniques import ACTIVATIONS
from koubai.techniques.convolution import output_size

SLOPES = {"1": 0.15, "2": 0.25, "3": 0.35, "4": 0.45}  # the notes' choices


def chain_rule(store: Store) -> Answer:
    """``dz/dx`` of ``z = t^2``, ``t = x + y``, symbolically."""
    derivation = differentiate("z = t**2", ["t = x + y"], "x")
    name, forms = derivation.steps[-1]
    return Answer(same(f"{name} = {forms[-1]}"), tuple(derivation.lines()))


def steepest_slope(store: Store) -> Answer:
    """The sigmoid's largest derivative: by the engine's own backward over many points, and exactly by sympy."""
    import sympy
    import torch

    x = torch.linspace(-8, 8, 160_001, dtype=torch.float64)
    y, slopes = torch.empty_like(x), torch.empty_like(x)
    ACTIVATIONS["sigmoid"](x, y)
    backward = ACTIVATIONS["sigmoid"].backward_function
    assert backward is not None
    backward(torch.ones_like(x), x, y, slopes)
    most, at = float(slopes.max()), round(float(x[slopes.argmax()]), 9) + 0.0
    u = sympy.Symbol("x", real=True)
    sigmoid = 1 / (1 + sympy.exp(-u))
    (top,) = sympy.solve(sigmoid.diff(u, 2), u)
    there, value = sigmoid.subs(u, top), sigmoid.diff(u).subs(u, top)
    derivative = differentiate("y = sigmoid(x)", [], "x").steps[-1][1][0]
    lines = (
        same(f"dy/dx = {derivative}"),
        Words(
            f"Its own derivative is 0 only at x = {top}; there sigmoid(x) = {there} and dy/dx = (1 - {there})·{there} = {value}.",
            f"これをさらに微分して0になるのは x = {top} だけ。そこで sigmoid(x) = {there}、dy/dx = (1 - {there})·{there} = {value}。",
        ),
        Words(
            f"Measured at {len(x):,} points from -8 to 8: the steepest is {most:.6g}, at x = {at:g}.",
            f"-8から8までの {len(x):,} 点で測ると、最大は x = {at:g} での {most:.6g}。",
        ),
    )
    fitting = [key for key, choice in SLOPES.items() if abs(choice - most) < 1e-6 and abs(choice - float(value)) < 1e-6]
    return Answer(same(f"{most:.6g}"), lines, fitting[0] if fitting else None)


def ridge(store: Store) -> Answer:
    """Each statement about ridge regression, checked on scikit-learn's diabetes data."""
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import LinearRegression, Ridge

    x, y = load_diabetes(return_X_y=True)
    strengths = [10.0**k for k in range(-3, 9)]
    norms = [float(np.linalg.norm(Ridge(alpha=strength).fit(x, y).coef_)) for strength in strengths]
    falls = bool(np.all(np.diff(norms) < 0)) and norms[-1] < 1e-4 * norms[0]
    plain, unpenalized = LinearRegression().fit(x, y), Ridge(alpha=0).fit(x, y)
    apart = float(np.abs(plain.predict(x) - unpenalized.predict(x)).max())
    between = unpenalized.predict((x[:1] + x[1:2]) / 2) - unpenalized.predict(x[:2]).mean()
    bent = float(np.abs(between).max())
    strong, lifted = Ridge(alpha=1.0).fit(x, y), Ridge(alpha=1.0).fit(x, y + 1000)
    moved, shifted = lifted.intercept_ - strong.intercept_, float(np.abs(lifted.coef_ - strong.coef_).max())
    centred = x - x.mean(0)
    closed = np.linalg.solve(centred.T @ centred + np.eye(x.shape[1]), centred.T @ (y - y.mean()))
    off = float(np.abs(closed - strong.coef_).max() / np.abs(closed).max())
    shown = ", ".join(f"{strengths[k]:g}: {norms[k]:.4g}" for k in (0, 3, 6, 9, 11))
    true = {"a": falls, "b": bent > 1e-6 or apart > 1e-6, "c": abs(moved - 1000) > 1e-6, "d": off > 1e-6}
    lines = (
        Words(f"(a) {_is(falls).en}: |w| by lambda: {shown}.", f"(a) {_is(falls).ja}: λ と |w|: {shown}。"),
        Words(
            f"(b) {_is(true['b']).en}: at lambda 0 predictions differ from linear regression's by {_tiny(apart)}; "
            f"halfway between two samples the prediction is their mean, to {_tiny(bent)}: linear.",
            f"(b) {_is(true['b']).ja}: λ = 0 での予測は線形回帰と {_tiny(apart)} しか違わない。"
            f"2点の中点での予測は2点の予測の平均と {_tiny(bent)} の差で一致、つまり線形。",
        ),
        Words(
            f"(c) {_is(true['c']).en}: with 1000 added to every target the bias rises by {moved:.6g}, "
            f"the weights move by {_tiny(shifted)}.",
            f"(c) {_is(true['c']).ja}: 目的変数に1000を足すと、バイアスは {moved:.6g} 増え、重みは {_tiny(shifted)} しか動かない。",
        ),
        Words(
            f"(d) {_is(true['d']).en}: the minimum of error + lambda |w|^2 over the {len(closed)} weights of the inputs, in closed form, "
            f"is the same fit (relative difference {_tiny(off)}); the term is in the error, and there is no hidden layer.",
            f"(d) {_is(true['d']).ja}: 誤差関数 + λ|w|² を入力の {len(closed)} 個の重みについて最小にする閉形式の解と一致する"
            f"(相対差 {_tiny(off)})。項は誤差関数に加わり、隠れ層はない。",
        ),
    )
    right = [key for key, holds in true.items() if holds]
    short = Words(
        f"With lambda from {strengths[0]:g} to {strengths[-1]:g} the weights' length |w| goes from {norms[0]:.4g} to {norms[-1]:.2g}.",
        f"λ を {strengths[0]:g} から {strengths[-1]:g} まで大きくすると、|w| は {norms[0]:.4g} から {norms[-1]:.2g} になる。",
    )
    return Answer(short, lines, right[0] if len(right) == 1 else None)


SIDES = {"left": Words("left", "左"), "right": Words("right", "右")}
NORMS = {"left": 2.0, "right": 1.0}  # what the question's two pictures show
DRAWN = 200  # losses beside theirs


def norms(store: Store) -> Answer:
    """The same loss minimized under ``|w|_1 <= 1`` and ``|w|_2 <= 1``: who ends on a corner, where a weight is exactly 0?"""
    draw = np.random.default_rng(0)
    lines, corners = [], {"left": 0, "right": 0}
    for side, p in NORMS.items():
        w = best_within(p)
        lines.append(
            Words(
                f"On the {SIDES[side].en} the lowest loss within the limit is at w = ({w[0]:z.3f}, {w[1]:z.3f}), "
                f"|w1| + |w2| = {np.abs(w).sum():.3f}, w1^2 + w2^2 = {(w**2).sum():.3f}.",
                f"{SIDES[side].ja}の図で、制約内の損失の最小は w = ({w[0]:z.3f}, {w[1]:z.3f})、"
                f"|w1| + |w2| = {np.abs(w).sum():.3f}、w1^2 + w2^2 = {(w**2).sum():.3f}。",
            )
        )
    for _ in range(DRAWN):
        half, angle = draw.standard_normal((2, 2)), draw.uniform(0, 2 * np.pi)
        curvature, optimum = half @ half.T + 0.1 * np.eye(2), 2 * np.array([np.cos(angle), np.sin(angle)])
        for side, p in NORMS.items():
            corners[side] += int((best_within(p, curvature=curvature, optimum=optimum) == 0).any())
    shares = {side: count / DRAWN for side, count in corners.items()}
    straight = [side for side, p in NORMS.items() if np.ptp(np.abs(limit(p)).sum(1)) < 1e-9]
    for side in straight:
        lines.append(
            Words(
                f"All along the {SIDES[side].en} limit |w1| + |w2| is the same: L1.",
                f"{SIDES[side].ja}の制約の線上では |w1| + |w2| が一定、つまりL1。",
            )
        )
    short = Words(
        f"Of {DRAWN} losses drawn at random a weight ends at exactly 0 for {shares['left']:.0%} on the left, "
        f"{shares['right']:.0%} on the right: the corners make zeros.",
        f"無作為に作った {DRAWN} 個の損失のうち、重みがちょうど0になるのは左で {shares['left']:.0%}、"
        f"右で {shares['right']:.0%}。角が0を作る。",
    )
    return Answer(short, tuple(lines), straight[0][0] if len(straight) == 1 else None)


def output(store: Store) -> Answer:
    """The size of a convolution's output, by formula and by PyTorch."""
    import torch

    side = output_size(6, 2, stride=1, padding=1)
    made = torch.nn.functional.conv2d(torch.zeros(1, 1, 6, 6), torch.zeros(1, 1, 2, 2), stride=1, padding=1)
    shape = "x".join(map(str, made.shape[2:]))
    lines = (
        worked(6, 2, stride=1, padding=1),
        Words(
            f"torch.nn.functional.conv2d on a 6x6 image gives {shape}.",
            f"6×6の画像に torch.nn.functional.conv2d をかけると {shape}。",
        ),
    )
    return Answer(same(f"{side}x{side}"), lines)


def _tiny(value: float) -> str:
    return f"{value:.0e}" if value else "0"


def _is(holds: bool) -> Words:
    return Words("true", "正しい") if holds else Words("false", "誤り")
