"""Each symptom over hand-made histories: found where the numbers say so, and not a little short of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from koubai.doctor import SYMPTOMS, Case, Facts, Finding, diagnose
from koubai.doctor.diagnosis import look
from koubai.doctor.finding import CAUSES, SEVERITIES, Unknown, portion, short
from koubai.doctor.seen import Seen
from koubai.spec import Trial

STEPS = np.array([0, 1, 2, 5, 10, 30, 60, 100, 150, 200, 250, 300])
LAYERS = ("dense 1", "relu 1", "dense 2", "relu 2", "dense 3", "relu 3", "dense 4")
KINDS = ("weights", "activation", "weights", "activation", "weights", "activation", "weights")
GUESS = float(np.log(4))  # four even classes


def over(*values: float) -> np.ndarray:
    """A curve through these values, evenly spaced over the steps."""
    return np.interp(STEPS, np.linspace(0, STEPS[-1], len(values)), values)


def each(curve: Any, layers: int) -> np.ndarray:
    """The same curve or number for each of several layers ``[point, layer]``."""
    return np.tile(np.broadcast_to(np.asarray(curve, dtype=float), STEPS.shape)[:, None], (1, layers))


def gradient(*factors: float) -> np.ndarray:
    """Norms at each layer's output, where each layer but the first passes its factor on."""
    return np.tile(np.cumprod([1.0, *reversed(factors)])[::-1], (len(STEPS), 1))


def case(facts: Mapping[str, Any] | None = None, names: Mapping[str, Any] | None = None, **curves: Any) -> Case:
    """A healthy training with some curves, some facts or some of the rest changed."""
    history = {
        "gradient": gradient(0.7, 1.4, 0.7, 1.4, 0.7, 1.4),
        "weight_gradient": each(0.05, 4), "weight": each(over(6, 6.5, 7), 4), "update": each(1e-2, 4), "apart": each(0.99, 4),
        "mean": each(0.4, 3), "std": each(0.6, 3), "saturated": each(0.0, 3), "dead": each(0.05, 3), "zeros": each(0.5, 3),
        "loss": over(GUESS, 0.2, 0.1, 0.06), "train_loss": over(GUESS, 0.2, 0.1, 0.05),
        "train_accuracy": over(0.25, 0.9, 0.96, 0.99), "validation_loss": over(GUESS, 0.25, 0.15, 0.14),
        "validation_accuracy": over(0.25, 0.88, 0.94, 0.95),
        **curves,
    }  # fmt: skip
    known = {"counts": np.array([100] * 4), "mean": np.zeros(5), "spread": np.ones(5), "reachable": 0.9, **(facts or {})}
    rest = {"layers": LAYERS, "kinds": KINDS, "budget": 300, "batch_size": 50, "learning_rate": 0.1, **(names or {})}
    return Case(
        steps=STEPS, history={name: curve for name, curve in history.items() if curve is not None}, facts=Facts(**known), **rest
    )


def poor(share: float = 0.5, loss: float = 0.7) -> dict[str, np.ndarray]:
    """Curves of a training that fits so much of the training samples, at a loss of so much of guessing, and has come to rest."""
    right = 0.25 + 0.75 * share
    fall = over(GUESS, (1 + loss) / 2 * GUESS, loss * GUESS, loss * GUESS, loss * GUESS)
    reached = over(0.25, right, right, right)
    return {"train_loss": fall, "loss": fall, "validation_loss": fall, "train_accuracy": reached, "validation_accuracy": reached}


def ended(accuracy: float, gap: float, rise: float) -> dict[str, np.ndarray]:
    """Curves of a training that fits, ``gap`` better than on validation samples, whose loss has risen from its lowest."""
    return {
        "train_accuracy": over(0.25, accuracy, accuracy),
        "validation_accuracy": over(0.25, accuracy - gap, accuracy - gap),
        "validation_loss": over(GUESS, 0.4, 0.4, 0.4 * rise),
    }


BATCH_NORM = {
    "layers": ("dense 1", "batch_norm 1", "relu 1", "dense 2"),
    "kinds": ("weights", "normalization", "activation", "weights"),
}
SHORT = {
    "gradient": each(1.0, 4),
    "apart": each(0.9, 2),
    "weight": each(5.0, 2),
    "update": each(0.01, 2),
    "weight_gradient": each(0.1, 2),
}
SHORT |= {name: each(0.1, 1) for name in ("mean", "std", "saturated", "dead", "zeros")}

ILL = {
    "vanishing-gradient": case(gradient=gradient(0.1, 0.9, 0.1, 0.9, 0.1, 0.9), **poor()),
    "exploding-gradient": case(gradient=gradient(1, 5, 1, 5, 1, 5), **poor()),
    "saturated-activations": case(saturated=each(0.7, 3), **poor()),
    "dead-relu": case(dead=each(over(0, 0.8, 0.8, 0.8), 3), zeros=each(0.9, 3), **poor()),
    "identical-units": case(apart=each(1e-6, 4)),
    "not-a-number": case(names={"diverged": 40}),
    "learning-rate-too-high": case(**{**poor(), "train_loss": over(1, 6, 2, 5, 2, 3)}),
    "learning-rate-too-low": case(update=each(1e-4, 4), **poor(0.1, 0.95)),
    "slow-convergence": case(**{**poor(), **dict.fromkeys(("train_loss", "validation_loss"), over(GUESS, 1.2, 1.0, 0.8, 0.6))}),
    "plateau": case(**poor(0.0, 1.0)),
    "growing-weights": case(weight=each(over(6, 60, 120), 4), **poor()),
    "overfitting": case(**ended(0.99, 0.2, 2.0)),
    "underfitting": case(**poor()),
    "too-strong-regularization": case(
        weight=each(over(6, 3, 1), 4), names={"trial": Trial(penalty={"name": "l2", "strength": 1.0})}, **poor()
    ),
    "batch-too-small": case(names={**BATCH_NORM, "batch_size": 2}, **SHORT, **poor()),
    "inputs-not-standardized": case({"spread": np.array([1, 1, 1, 1, 200.0])}, **poor()),
    "class-imbalance": case({"counts": np.array([300, 300, 10, 10])}, {"recall": lambda: np.array([1, 0.9, 0.2, 0.1])}),
    "shuffled-labels": case({"reachable": 0.26}, **poor(0.1)),
    "idle-layers": case(names={"seen": Seen({"dense 1": "unreached", "dense 4": "unheld"})}, **poor()),
    "uncleared-gradients": case(names={"seen": Seen(uncleared=True)}),
    "mismatched-loss": case(names={"seen": Seen(squashed="softmax")}, **poor()),
    "targets-not-standardized": case(names={"seen": Seen(target=300.0)}, **poor()),
}
NEARLY = {
    "vanishing-gradient": [
        case(gradient=gradient(0.12, 0.9, 0.12, 0.9, 0.12, 0.9), **poor()),  # 1.3e-3
        case(gradient=gradient(0.1, 0.9, 0.1, 0.9, 0.1, 0.9)),  # learned all the same
    ],
    "exploding-gradient": [
        case(gradient=gradient(1, 4, 1, 4, 1, 4), **poor()),
        case(gradient=gradient(1, 5, 1, 5, 1, 5)),
        case(  # it was sound, until a step as long as the weights
            gradient=np.concatenate([gradient(1, 1, 1, 1, 1, 1)[:1], gradient(1, 5, 1, 5, 1, 5)[1:]]),
            update=each(over(0, 1.0), 4) + each(1.0, 4),
            **poor(),
        ),
    ],
    "saturated-activations": [
        case(saturated=each(over(0.5, 0.5, 0.55), 3), **poor()),
        case(saturated=each(over(0, 0.3, 1, 1), 3)),
    ],
    "dead-relu": [
        case(dead=each(0.65, 3), zeros=each(0.9, 3), **poor()),
        case(dead=each(0.9, 3), zeros=each(0.0, 3), **poor()),  # they answer alike, but not 0
        case(dead=each(0.9, 3), zeros=each(0.9, 3)),
    ],
    "identical-units": [case(apart=each(2e-3, 4)), case(apart=each(over(1, 0.5, 0.0), 4))],
    "not-a-number": [case()],
    "learning-rate-too-high": [
        case(**{**poor(), "train_loss": over(1, 2.5, 2, 1.5, 1)}),
        case(train_loss=over(1, 6, 2, 0.1, 0.1)),
    ],
    "learning-rate-too-low": [case(update=each(3e-3, 4), **poor(0.1, 0.95)), case(update=each(1e-4, 4))],
    "slow-convergence": [
        case(**poor()),
        case(train_loss=over(GUESS, 1.2, 1.0, 0.8, 0.6)),
        case(**{**poor(), "train_loss": over(GUESS, 1.2, 1.0, 0.8, 0.6)}),  # what is learned does not hold for other samples
    ],
    "plateau": [case(**poor(0.5, 0.25)), case(**{**poor(), "train_loss": over(GUESS, GUESS, 0.9, 0.7, 0.5)})],
    "growing-weights": [case(weight=each(over(6, 30, 45), 4), **poor()), case(weight=each(over(6, 60, 120), 4))],
    "overfitting": [case(**ended(0.99, 0.2, 1.6)), case(**ended(0.99, 0.08, 2.0))],
    "underfitting": [case(**poor(0.85)), case(update=each(5e-4, 4), **poor())],
    "too-strong-regularization": [
        case(weight=each(over(6, 3, 1), 4), names={"trial": Trial()}, **poor()),  # nothing pulls at them
        case(weight=each(over(6, 5.5, 5), 4), names={"trial": Trial(penalty="l2")}, **poor()),
        case(names={"trial": Trial(dropout=0.5)}, **poor()),
    ],
    "batch-too-small": [case(names={**BATCH_NORM, "batch_size": 4}, **SHORT, **poor()), case(names={"batch_size": 2}, **poor())],
    "inputs-not-standardized": [case({"spread": np.array([1, 1, 1, 1, 9.0])}, **poor()), case({"spread": np.full(5, 200.0)})],
    "class-imbalance": [
        case({"counts": np.array([300, 300, 70, 70])}, {"recall": lambda: np.array([1, 0.9, 0.2, 0.1])}),
        case({"counts": np.array([300, 300, 10, 10])}, {"recall": lambda: np.array([0.95, 0.9, 0.9, 0.85])}),
    ],
    "shuffled-labels": [case({"reachable": 0.4}, **poor(0.1)), case({"reachable": 0.26})],
    "idle-layers": [case(names={"seen": Seen()}, **poor()), case(names={"seen": Seen({"dense 4": "unheld"})})],
    "uncleared-gradients": [case(names={"seen": Seen()}, **poor())],
    "mismatched-loss": [case(names={"seen": Seen()}, **poor()), case(names={"seen": Seen(squashed="softmax")})],
    "targets-not-standardized": [case(names={"seen": Seen(target=9.0)}, **poor()), case(names={"seen": Seen(target=300.0)})],
}


@pytest.mark.parametrize("name", SYMPTOMS)
def test_a_symptom_is_found(name: str) -> None:
    found = look(name, ILL[name])
    assert found is not None and found.symptom == name
    assert found.severity in SEVERITIES and (found.cause in CAUSES or name == "plateau")
    assert found.layer is None or found.layer in ILL[name].layers
    assert all(np.isfinite(value) for value in found.evidence.values())
    assert found.words.en.endswith(".") and found.words.ja.endswith("。") and found.words.en != found.words.ja


@pytest.mark.parametrize(("name", "number"), [(name, k) for name, cases in NEARLY.items() for k in range(len(cases))])
def test_a_near_miss_is_not_a_finding(name: str, number: int) -> None:
    assert look(name, NEARLY[name][number]) is None


def test_a_healthy_training_has_nothing_wrong() -> None:
    diagnosis = diagnose(case())
    assert diagnosis.findings == () and diagnosis.verdict == "healthy"
    assert str(diagnosis) in ("Nothing wrong found.", "異常は見つかりません。")


def test_vanishing_names_the_kind_of_layer_that_takes_most() -> None:
    by_activation = look("vanishing-gradient", case(gradient=gradient(0.1, 0.9, 0.02, 0.9, 0.1, 0.9), **poor()))
    assert by_activation is not None and (by_activation.cause, by_activation.layer) == ("activation", "relu 2")
    by_weights = look("vanishing-gradient", case(gradient=gradient(0.7, 0.1, 0.7, 0.1, 0.7, 0.05), **poor()))
    assert by_weights is not None and (by_weights.cause, by_weights.layer) == ("weights", "dense 4")
    assert by_weights.evidence["ratio"] == pytest.approx(0.7**3 * 0.1**2 * 0.05)
    assert "the weights pass 0.079" in by_weights.words.en  # (0.1 * 0.1 * 0.05) ** (1/3)
    assert "重みは 0.079 倍" in by_weights.words.ja


def test_exploding_names_the_layer_that_adds_most() -> None:
    found = look("exploding-gradient", case(gradient=gradient(1, 2, 1, 20, 1, 3), **poor()))
    assert found is not None and (found.cause, found.layer) == ("weights", "dense 3")


def test_small_weights_before_a_normalization_do_not_explode() -> None:
    """A normalization divides by the spread that small weights left: the gradient grows there and shrinks again at the weights."""
    names = {
        "layers": ("dense 1", "batch_norm 1", "relu 1", "dense 2", "batch_norm 2", "relu 2", "dense 3"),
        "kinds": ("weights", "normalization", "activation", "weights", "normalization", "activation", "weights"),
    }
    curves = {name: each(0.1, 2) for name in ("mean", "std", "saturated", "dead", "zeros")}
    curves |= {name: each(1.0, 3) for name in ("weight", "update", "apart", "weight_gradient")}
    assert (
        look("exploding-gradient", case(names=names, gradient=gradient(100, 0.7, 0.01, 100, 0.7, 1), **curves, **poor())) is None
    )
    assert look("exploding-gradient", case(names=names, gradient=gradient(1, 1, 100, 1, 1, 1), **curves, **poor())) is not None


def test_saturation_has_its_cause_from_when_it_began_and_from_the_inputs() -> None:
    large = {"spread": np.full(5, 100.0)}
    causes = {
        "weights": case(saturated=each(0.9, 3), **poor()),
        "data": case(large, saturated=each(0.9, 3), **poor()),
        "learning rate": case(saturated=each(over(0, 0.4, 1, 1, 1), 3), **poor()),
    }
    for cause, one in causes.items():
        found = look("saturated-activations", one)
        assert found is not None and found.cause == cause


def test_saturation_counts_from_the_start_only_in_the_layer_that_had_it() -> None:
    one = each(0.4, 3)
    one[:, 0] = over(0, 0.8, 0.8, 0.8, 0.8)  # the others stand at 0.4 from the start, and not at 0.6
    one[0, 0] = 0
    assert look("saturated-activations", case(saturated=one, **poor())) is None


def test_a_step_that_kills_a_layer_was_too_long() -> None:
    """Units alive at the start are dead since a step of half the weights' size; a penalty would put them out little by little."""
    dead = {"dead": each(np.where(STEPS < 5, 0.0, 1.0), 3), "zeros": each(1.0, 3)}
    update = each(np.where(STEPS == 2, 0.5, 1e-3), 4)
    found = look("learning-rate-too-high", case(update=update, **dead, **poor(0.0, 1.0)))
    assert (
        found is not None
        and "By step 5 the units of relu 1 fell silent" in found.words.en
        and "50% of their size" in found.words.en
    )
    assert look("learning-rate-too-high", case(update=each(1e-3, 4), **dead, **poor(0.0, 1.0))) is None
    assert look("learning-rate-too-high", case(update=update[::-1], **dead, **poor(0.0, 1.0))) is None, "long steps came later"
    assert look("learning-rate-too-high", case(update=update, **dead)) is None, "learned all the same"


def test_a_step_that_saturates_a_layer_was_too_long() -> None:
    """Values move off the slope after a step of half the weights' size; steps that long after it, or none, are not to blame."""
    saturated = each(np.where(STEPS < 5, 0.1, 1.0), 3)
    update = each(np.where(STEPS == 2, 0.5, 1e-3), 4)
    found = look("learning-rate-too-high", case(update=update, saturated=saturated, **poor()))
    assert found is not None and "By step 5 the values of relu 1 stood at an end of its range" in found.words.en
    assert look("learning-rate-too-high", case(update=each(1e-3, 4), saturated=saturated, **poor())) is None
    assert look("learning-rate-too-high", case(update=update[::-1], saturated=saturated, **poor())) is None
    assert look("learning-rate-too-high", case(update=update, saturated=saturated)) is None, "learned all the same"
    assert look("learning-rate-too-high", case(update=update, saturated=each(1.0, 3), **poor())) is None, "so from the start"


def test_weights_that_stand_still_overshoot_nothing_however_their_loss_moves() -> None:
    """As a GAN's generator's does: 300 steps of 0.1% of a weight come to 30% of it, 300 of 1% to three times its size."""
    loss = {**poor(), "train_loss": over(1, 6, 2, 5, 2, 3)}
    assert look("learning-rate-too-high", case(update=each(1e-2, 4), **loss)) is not None
    assert look("learning-rate-too-high", case(update=each(1e-3, 4), **loss)) is None
    assert look("learning-rate-too-low", case(update=each(1e-3, 4), **loss)) is not None
    assert look("learning-rate-too-high", case(update=each(over(0.2, 1e-3, 1e-3), 4), **loss)) is not None, "one step was long"


def test_a_loss_that_swings_is_a_rate_too_high_but_for_a_good_fit_and_where_simpler_methods_do_no_better() -> None:
    def swinging(size: float) -> np.ndarray:
        return over(GUESS, 0.3, 0.2) + size * GUESS * (np.arange(len(STEPS)) % 2)

    good = {"train_accuracy": over(0.25, 0.93, 0.93)}
    assert look("learning-rate-too-high", case({"reachable": 0.99}, train_loss=swinging(0.4), **good)) is not None
    assert look("learning-rate-too-high", case({"reachable": 0.9}, train_loss=swinging(0.4), **good)) is None
    assert look("learning-rate-too-high", case({"reachable": 0.99}, train_loss=swinging(0.05), **good)) is None
    assert look("learning-rate-too-high", case({"reachable": 0.99}, train_loss=swinging(0.4))) is None


def test_a_loss_that_only_climbs_is_not_said_to_swing() -> None:
    climbing = look("learning-rate-too-high", case({"reachable": 0.99}, **{**poor(), "train_loss": over(GUESS, 2.5 * GUESS)}))
    assert climbing is not None
    assert climbing.words.en.startswith("The loss climbs: 100% of") and climbing.words.ja.startswith("損失が増え続け、")


def test_dead_units_are_born_so_or_killed() -> None:
    killed, born = (look("dead-relu", case(dead=each(curve, 3), zeros=each(1.0, 3), **poor())) for curve in (over(0, 1, 1), 1.0))
    assert killed is not None and killed.cause == "learning rate" and killed.severity == "fatal"
    assert born is not None and born.cause == "weights"


def test_a_number_that_is_none_has_its_first_cause() -> None:
    forward = np.tile(np.array([1.0, np.finfo(np.float32).max, np.inf]), (5, 1))
    lost = {"train_loss": np.full(len(STEPS), np.nan), "gradient": np.full((len(STEPS), 7), np.nan)}
    found = look("not-a-number", case(names={"diverged": 1}, high=forward, low=0 * forward[:, :1], **lost))
    assert found is not None and (found.layer, found.cause, found.evidence["step"]) == ("dense 2", "weights", 0)
    assert "forward pass at dense 2" in found.words.en
    stopped = {
        name: np.where(STEPS < 100, curve, np.nan)
        for name, curve in {"train_loss": over(1, 2, 4), "train_accuracy": over(0, 1)}.items()
    }
    ratio = each(over(1, 1.5, 2), 4)
    ratio[:, 2] *= over(1, 5, 9)
    found = look(
        "not-a-number",
        case(
            names={"diverged": 80}, weight=ratio, gradient=np.where(STEPS[:, None] < 100, gradient(*[1] * 6), np.nan), **stopped
        ),
    )
    assert found is not None and (found.layer, found.cause) == ("dense 3", "learning rate")
    assert "step 80" in found.words.en and "at step 60 all was finite" in found.words.en


def test_dropout_holds_too_hard_as_a_penalty_does() -> None:
    kinds = tuple("dropout" if kind == "activation" else kind for kind in KINDS)
    for rate, names in ((0.9, {}), (0.55, {"kinds": kinds})):  # three layers that leave 45% leave 9%
        found = look("too-strong-regularization", case(names={"trial": Trial(dropout=rate), **names}, **poor()))
        assert found is not None and found.cause == "dropout"
    assert look("too-strong-regularization", case(names={"trial": Trial(dropout=0.5), "kinds": kinds}, **poor())) is None


def test_without_weights_units_are_identical_and_not_dead() -> None:
    one = case(weight=each(0.0, 4), apart=each(0.0, 4), dead=each(1.0, 3), zeros=each(1.0, 3), **poor())
    assert look("dead-relu", one) is None and look("identical-units", one) is not None


@pytest.mark.parametrize("name", SYMPTOMS)
def test_what_was_not_recorded_cannot_be_told(name: str) -> None:
    """An empty history gives no finding: nothing, or a reason in both languages."""
    bare = Case(LAYERS, KINDS, STEPS, {})
    try:
        assert look(name, bare) is None
    except Unknown as why:
        assert why.words.en and why.words.ja


def test_too_little_to_go_by_is_said_to_be_so() -> None:
    diagnosis = diagnose(Case(LAYERS, KINDS, STEPS[:1], {name: curve[:1] for name, curve in case().history.items()}))
    assert diagnosis.verdict == "unknown" and len(diagnosis.unknown) > len(SYMPTOMS) / 2
    assert str(diagnosis).startswith(("Don't know", "判断できません"))


def test_a_small_probe_says_nothing_of_dead_units() -> None:
    with pytest.raises(Unknown):
        look("dead-relu", case(names={"batch_size": 8}, dead=each(1.0, 3), zeros=each(1.0, 3), **poor()))


def test_labels_that_are_drawn_on_purpose_are_no_fault() -> None:
    known = case({"reachable": 0.26}, **poor(0.1))
    accused = look("shuffled-labels", replace(known, trial=Trial()))
    told = look("shuffled-labels", replace(known, trial=Trial(data="noise")))
    assert accused is not None and told is not None
    assert (accused.severity, told.severity) == ("fatal", "mild")
    assert "on purpose" in told.words.en and told.words.en.startswith(accused.words.en)
    assert "意図して" in told.words.ja and told.words.ja.startswith(accused.words.ja)


def test_labels_of_one_class_say_nothing_of_being_shuffled() -> None:
    with pytest.raises(Unknown):
        look("shuffled-labels", case({"counts": np.array([900, 10, 10, 10]), "reachable": 0.97}, **poor(0.1)))


def test_a_training_under_way_is_not_judged_too_early() -> None:
    early = case(names={"budget": 2000}, **poor())
    for name in ("slow-convergence", "plateau", "underfitting", "learning-rate-too-low"):
        with pytest.raises(Unknown, match="too early"):
            look(name, early)
    assert look("vanishing-gradient", case(names={"budget": 2000}, gradient=gradient(0.1, 0.9, 0.1, 0.9, 0.1, 0.9), **poor()))


def test_where_nothing_moves_the_rate_is_what_a_plateau_comes_from() -> None:
    for update, cause in ((1e-4, "learning rate"), (1e-2, None)):
        found = look("plateau", case(update=each(update, 4), **poor(0.0, 1.0)))
        assert found is not None and found.cause == cause


def test_where_no_gradient_arrives_the_layer_that_takes_it_is_named() -> None:
    """Zero weights in the middle: nothing comes down from there, and 0 / 0 below says nothing."""
    lost = gradient(1, 1, 1, 1, 1, 1)
    lost[:, :4] = 0  # dense 3 passes nothing on
    found = look("vanishing-gradient", case(gradient=lost, **poor()))
    assert found is not None and (found.layer, found.cause) == ("dense 3", "weights")
    assert "dense 3 passes nothing of the gradient on; nothing of the gradient at the last layer arrives" in found.words.en
    assert "最初の層には、最後の層の勾配がまったく届きません。" in found.words.ja


@pytest.mark.parametrize("name", ["underfitting", "plateau", "slow-convergence", "learning-rate-too-low"])
def test_where_simpler_methods_reach_no_more_nobody_can_say_that_more_could_be_learned(name: str) -> None:
    """Of four classes the network is right for 62% of 400 samples; 300 of them were looked at."""
    ill = ILL[name] if name != "learning-rate-too-low" else case(update=each(1e-4, 4), **poor(0.5, 0.95))
    for least, known in ((0.5, False), (0.70, False), (0.71, True), (0.9, True)):  # 3 standard errors: 0.62 + 3 * 0.0265 = 0.70
        one = replace(ill, facts=replace(ill.facts, reachable=least)) if ill.facts else ill
        one = replace(one, history={**one.history, "loss": poor()["loss"]}) if name == "slow-convergence" else one
        if name == "plateau":
            one = replace(one, history={**one.history, "train_accuracy": over(0.25, 0.625, 0.625, 0.625)})
        if known:
            assert look(name, one) is not None
        else:
            with pytest.raises(Unknown, match="Simpler methods are right on"):
                look(name, one)


def test_where_simpler_methods_do_no_better_than_guessing_they_say_nothing() -> None:
    assert not case({"reachable": 0.32}, **poor()).enough() and case({"reachable": 0.33}, **poor()).enough()  # 0.25 + 3 * 0.025
    assert not case({"reachable": 0.4}, **poor(0.08)).enough(), "0.31: less than half of the way from 0.25"


def test_a_layer_narrower_than_the_classes_is_not_excused_by_what_is_not_quite_reached() -> None:
    narrow = {"trial": Trial(layers=[20, 2, 20])}
    assert look("underfitting", case({"reachable": 0.66}, names=narrow, **poor())) is not None
    with pytest.raises(Unknown):
        look("underfitting", case({"reachable": 0.62}, names=narrow, **poor()))


def test_a_network_of_straight_lines_underfits() -> None:
    names = {"layers": ("dense 1", "identity 1", "dense 2", "identity 2", "dense 3", "identity 3", "dense 4")}
    assert look("underfitting", case({"reachable": 0.99}, **poor(0.88))) is None
    found = look("underfitting", case({"reachable": 0.99}, names=names, **poor(0.88)))
    assert found is not None and found.cause == "activation"


def test_a_layer_with_fewer_units_than_classes_underfits() -> None:
    def found(*layers: int) -> Finding | None:
        return look("underfitting", case({"reachable": 0.99}, names={"trial": Trial(layers=list(layers))}, **poor(0.88)))

    assert found(20, 4, 20) is None
    two, one = found(20, 2, 20), found(20, 1, 20)
    assert two is not None and "2 units lets 2 numbers through" in two.words.en and "ユニットが 2 個の層" in two.words.ja
    assert one is not None and "a single unit lets one number through" in one.words.en


def creep(fall: float, noise: float = 0.0) -> np.ndarray:
    """A minibatch loss that falls by so much of guessing over all steps, at one pace, under noise that goes up and down in turn."""
    return over(GUESS, GUESS * (1 - fall)) + noise * GUESS * (-1.0) ** np.arange(len(STEPS))


@pytest.mark.parametrize(
    ("curve", "update", "slow"),
    [
        (creep(0.10), 3e-3, True),
        (creep(0.04), 3e-3, True),
        (creep(0.02), 3e-3, False),  # too little to be told from rest
        (creep(0.10), 5e-3, False),  # the weights went further than their own size: it may be all that it can learn
        (creep(0.10, 0.02), 3e-3, False),  # the fall is not told from the noise
        (over(GUESS, 0.9 * GUESS, 0.9 * GUESS), 3e-3, False),  # it has come to rest
    ],
)
def test_a_loss_that_creeps_down_while_the_weights_hardly_move_is_slow_and_no_underfitting(
    curve: np.ndarray, update: float, slow: bool
) -> None:
    rest = poor()["train_loss"]  # what a point measures on its few samples shows nothing
    one = case(**{**poor(0.5, 0.9), "train_loss": rest, "loss": curve}, update=each(update, 4))
    assert (look("slow-convergence", one) is not None) == slow
    assert (look("underfitting", one) is None) == slow
    if slow:
        finding = look("slow-convergence", one)
        assert finding is not None and finding.evidence["creep"] == pytest.approx(1 - curve[-1] / GUESS, rel=1e-6)
        assert "steady pace" in finding.words.en and "一定の速さ" in finding.words.ja


@pytest.mark.parametrize(("training", "validation", "update", "reachable", "slow"), [
    (0.2, 0.2, 1e-2, 0.9, True),
    (0.2, 0.2, 1e-3, 0.5, True),
    (0.2, 0.0, 1e-3, 0.9, True),
    (0.2, 0.0, 1e-2, 0.9, False),  # what is learned does not hold for other samples
    (0.2, 0.2, 1e-2, 0.5, False),  # what is left may be noise
    (0.2, 0.0, 1e-3, 0.5, False),
    (0.2, 0.02, 1e-3, 0.5, True),  # the weights hardly moved, and samples not seen gain too, if not as steadily
    (0.2, 0.02, 3e-3, 0.5, False),
    (0.0, 0.2, 1e-3, 0.9, False),  # it does not fall
])  # fmt: skip
def test_a_loss_that_falls_steadily_is_slow_by_two_signs_of_three(
    training: float, validation: float, update: float, reachable: float, slow: bool
) -> None:
    rest = poor()["train_loss"]
    curves = {**poor(), "train_loss": rest, "loss": creep(training), "validation_loss": creep(validation)}
    one = case({"reachable": reachable}, **curves, update=each(update, 4))
    assert (look("slow-convergence", one) is not None) == slow


def test_a_few_points_are_enough_for_a_steady_fall() -> None:
    """Six hundred steps have ten points, of which three lie in the last half: the line goes through the last four."""
    few = [0, 1, 3, 4, 7, 8, 9, 11]  # steps 0 1 5 10 100 150 200 300
    whole = case(**{**poor(0.3, 0.9), "train_loss": poor(0.3, 0.9)["train_loss"], "loss": creep(0.1)}, update=each(1e-3, 4))
    one = replace(whole, steps=STEPS[few], history={name: curve[few] for name, curve in whole.history.items()})
    assert look("slow-convergence", one) is not None


def test_nothing_learned_is_said_in_words() -> None:
    curves = {**poor(0.0, 1.2), "loss": creep(0.1)}
    found = look("slow-convergence", case(**curves, update=each(1e-3, 4)))
    assert found is not None and "nothing is learned yet" in found.words.en and "-" not in found.words.en


def test_an_overfitted_loss_that_has_not_risen_is_not_said_to_have() -> None:
    few = {"counts": np.array([10] * 4)}
    found = look("overfitting", case(few, **{**ended(0.99, 0.2, 1.0), "validation_loss": over(GUESS, 0.5, 0.4)}))
    assert found is not None and "times" not in found.words.en and "増え" not in found.words.ja
    from_nothing = look("overfitting", case(few, **{**ended(0.99, 0.2, 1.0), "validation_loss": over(GUESS, 0.0, 0.4)}))
    assert from_nothing is not None and "times" not in from_nothing.words.en and "inf" not in from_nothing.words.en
    risen = look("overfitting", case(few, **ended(0.99, 0.2, 1.6)))
    assert risen is not None and "1.6 times" in risen.words.en and "1.6 倍" in risen.words.ja


@pytest.mark.parametrize(
    ("value", "shown"), [(0.00123, "0.0012"), (1.234, "1.2"), (387, "390"), (38748, "39,000"), (2.1e9, "2.1e9")]
)
def test_numbers_are_written_as_a_person_would(value: float, shown: str) -> None:
    assert short(value) == shown


def test_a_change_is_a_share_or_a_factor() -> None:
    assert (portion(0.45).en, portion(0.45).ja) == ("45% of", "45%")
    assert [portion(value).ja for value in (0.004, 0.01, 0.0)] == ["0.4%", "1%", "0%"]
    assert (portion(387.48).en, portion(387.48).ja) == ("390 times", "390 倍")
