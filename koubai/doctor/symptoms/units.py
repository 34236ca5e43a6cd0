"""Units that do not do their work: saturated, dead, or one like the other."""

from __future__ import annotations

import numpy as np

from koubai.doctor.case import Case
from koubai.doctor.finding import OURS, POOR, Finding, Limit, Unknown, short, symptom
from koubai.language import Words, counted

PROBE = 16  # samples: of fewer, units that answer alike say nothing
FAR = 10.0  # root mean square of a feature from which inputs count as large
PINNED = Limit(0.95, OURS)  # of the values at an end of the range
SILENT = Limit(0.7, "AutoTrainer (Zhang et al., ICSE 2021): more than 70% zero gradients")


def silent(case: Case) -> np.ndarray:
    """The share of units at 0 for all samples, ``[point, activation]``; units that answer alike elsewhere are saturated."""
    return np.minimum(case.need("dead"), case.need("zeros"))


def since(shares: np.ndarray, layer: int, share: float) -> int:
    """The first point at which a ``share`` of an activation's units were so."""
    return int((shares[:, layer] >= share).argmax())


def killed(case: Case, share: float) -> tuple[int, int] | None:
    """The activation whose units fell silent for all samples in training, to ``share`` of them or more, and the point by which they had."""
    if not {"dead", "zeros"} <= case.history.keys() or (case.batch_size is not None and case.batch_size < PROBE):
        return None
    dead = silent(case)
    fell = np.where(dead[0] < share, dead[-1], 0.0)
    layer = int(fell.argmax())
    return (layer, since(dead, layer, share)) if fell[layer] >= share else None


def pinned(case: Case, share: float) -> tuple[int, int] | None:
    """The activation whose values came to stand at the ends of its range, ``share`` of them in the last half, and the point since when."""
    if "saturated" not in case.history or not case.where("activation"):
        return None
    saturated = case.need("saturated")
    came = np.where(saturated[0] < share, np.nanmedian(saturated[case.after(0.5) :], axis=0), 0.0)
    layer = int(came.argmax())
    return (layer, since(saturated, layer, share)) if came[layer] >= share else None


@symptom(
    "saturated-activations",
    Words("saturated activations", "活性の飽和"),
    about=Words(
        "Most units stand at the ends of their range from the start, where the slope is near 0 and inputs make no difference.",
        "多くのユニットが最初から値域の端に張り付いています。端では傾きがほぼ0なので、入力の違いが伝わりません。",
    ),
    measure=Words(
        "largest share over layers of activations within 5% of a bound, median over the first quarter of the steps or the last half",
        "値域の端から5%以内にある活性の割合(層ごとの最大)。学習の最初の1/4、または後半の中央値",
    ),
    brings=("vanishing-gradient", "plateau", "underfitting", "slow-convergence", "learning-rate-too-low"),
    share=Limit(0.6, OURS),
    late=PINNED,
    fitted=POOR,
)
def saturated_activations(case: Case, share: float, late: float, fitted: float) -> Finding | None:
    """More than ``share`` early, if not by the steps, or more than ``late`` later on while the fit is poor."""
    saturated = case.need("saturated")
    first = np.nanmedian(saturated[: max(1, case.after(0.25))], axis=0)
    first = np.where(saturated[0] >= share / 2, first, 0.0)
    end = np.nanmedian(saturated[case.after(0.5) :], axis=0)
    if first.max() >= share:
        layer, measured = int(first.argmax()), float(first.max())
        large = case.sizes is not None and case.sizes.max() > FAR and first[0] >= share
        cause = "data" if large else "weights"
        layer = 0 if large else layer
    elif end.max() >= late and case.poor(fitted):
        layer, measured, cause = int(end.argmax()), float(end.max()), "learning rate"
    else:
        return None
    en = {
        "data": "the inputs are too large",
        "weights": "the weights are too large",
        "learning rate": "the steps have made the sums too large",
    }
    ja = {
        "data": "入力が大きすぎるためです",
        "weights": "重みが大きすぎるためです",
        "learning rate": "更新が大きく、総和が膨らんだためです",
    }
    label = case.label("activation", layer)
    return Finding(
        "serious",
        Words(
            f"{measured:.0%} of the values of {label} stand at an end of its range: {en[cause]}.",
            f"{label} の値の {measured:.0%} が値域の端にあります。{ja[cause]}。",
        ),
        label,
        cause,
        {"share": measured, "fitted": case.fitted},
    )


@symptom(
    "dead-relu",
    Words("dead ReLU units", "死んだReLU"),
    about=Words(
        "Units output 0 for every sample, so no gradient passes through them and they never learn again.",
        "どのサンプルにも0しか出さないユニットです。勾配が通らないので、二度と学習できません。",
    ),
    measure=Words(
        "largest share over layers of units that are 0 for every probe sample, at the end, while the fit is poor",
        "どのプローブサンプルに対しても0のユニットの割合(層ごとの最大、終了時)。適合が悪い場合に限る",
    ),
    brings=("vanishing-gradient", "plateau", "underfitting", "slow-convergence"),
    share=SILENT,
    fitted=POOR,
)
def dead_relu(case: Case, share: float, fitted: float) -> Finding | None:
    """More than ``share`` of a layer's units silent at the end."""
    dead = silent(case)
    if case.batch_size is not None and case.batch_size < PROBE:
        raise Unknown(
            f"A probe of {counted(case.batch_size, 'sample')} is too small to call a unit dead.",
            f"プローブが {case.batch_size} サンプルしかなく、ユニットが死んだかどうか判断できません。",
        )
    end = dead[-1]
    if not end.max() >= share or not case.poor(fitted):
        return None
    layer = int(end.argmax())
    place = case.where("activation")[layer]
    feeding = sum(k < place for k in case.where("weights")) - 1
    if feeding >= 0 and "weight" in case.history and not case.need("weight")[0, feeding] > 0:
        return None  # without weights no unit answers anything: see identical units
    born = bool(dead[0, layer] >= share)
    label = case.label("activation", layer)
    when = Words("from the start: its weights give no sum above 0", "最初から: 重みのため総和が正になりません")
    if not born:
        at = int(case.steps[since(dead, layer, share)])
        when = Words(f"by step {at}: too large a step put them there", f"ステップ {at} までに: 大きすぎる更新のためです")
    return Finding(
        "fatal" if end[layer] > 0.99 else "serious",
        Words(
            f"{end[layer]:.0%} of the units of {label} are 0 for every sample, {when.en}.",
            f"{label} のユニットの {end[layer]:.0%} がどのサンプルにも 0 を出します({when.ja})。",
        ),
        label,
        "weights" if born else "learning rate",
        {"share": float(end[layer]), "fitted": case.fitted},
    )


@symptom(
    "identical-units",
    Words("identical units", "同一のユニット"),
    about=Words(
        "All units of a layer have the same weights and get the same gradient, so the layer is worth one unit.",
        "1つの層の全ユニットが同じ重みを持ち、同じ勾配を受け取ります。層全体が1ユニット分の働きしかしません。",
    ),
    measure=Words(
        "smallest |W - mean over units| / |W| of a hidden layer, at the start and at the end",
        "隠れ層の |W - ユニット平均| / |W| の最小値(開始時と終了時)",
    ),
    brings=("vanishing-gradient", "dead-relu", "plateau", "underfitting", "learning-rate-too-high", "learning-rate-too-low"),
    apart=Limit(1e-3, OURS),
)
def identical_units(case: Case, apart: float) -> Finding | None:
    """Below ``apart`` both at the start and at the end: where only the end is, a penalty did it."""
    measured = case.need("apart")[:, :-1]
    far = np.fmax(measured[0], measured[-1])
    if not np.isfinite(far).any() or not np.nanmin(far) < apart:
        return None
    layer = int(np.nanargmin(far))
    label, share = case.label("weights", layer), short(float(far[layer]))
    alike = Words("are exactly alike", "の重みはすべて同じです")
    if far[layer] > 0:
        alike = Words(f"differ by {share} of their weights' size", f"どうしの差は、重みの大きさの {share} 倍です")
    return Finding(
        "fatal",
        Words(
            f"The units of {label} {alike.en}: equal initial weights keep them equal.",
            f"{label} のユニット{alike.ja}。初期値が同じなので、同じまま動きます。",
        ),
        label,
        "weights",
        {"apart": float(far[layer])},
    )
