"""Remedies: that they change a trial as their words say, dense or of images, and nothing where they do not apply."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koubai.doctor.finding import SYMPTOMS
from koubai.doctor.remedies import REMEDIES, remedies_for, treated
from koubai.spec import Trial

NAMES = (
    "vanishing-gradient", "exploding-gradient", "saturated-activations", "dead-relu", "identical-units", "learning-rate-too-high",
    "learning-rate-too-low", "slow-convergence", "plateau", "overfitting", "underfitting", "inputs-not-standardized", "class-imbalance",
    "shuffled-labels", "too-strong-regularization", "batch-too-small", "growing-weights", "not-a-number",
)  # fmt: skip

# a trial that has each symptom, as benchmarks and textbooks make it
ILL: dict[str, dict[str, Any]] = {
    "vanishing-gradient": {"layers": [30] * 6, "activation": "sigmoid"},
    "dead-relu": {"learning_rate": 5.0},
    "too-strong-regularization": {"penalty": {"name": "l2", "strength": 3.0}},
    "batch-too-small": {"batch_norm": "before", "batch_size": 2},
    "overfitting": {"data": {"name": "digits", "samples": 50}, "batch_size": 10},
    "identical-units": {"initializer": "zeros"},
    "not-a-number": {"initializer": {"name": "normal", "std": 1e9}},
}


# what only a loop of one's own can have wrong, which no trial does
WATCHED = {"idle-layers", "uncleared-gradients", "mismatched-loss", "targets-not-standardized"}


@pytest.mark.parametrize("symptom", sorted({*NAMES, *SYMPTOMS} - WATCHED))
def test_every_symptom_has_remedies(symptom: str) -> None:
    assert len(remedies_for(Trial(**ILL.get(symptom, {})), [symptom])) >= 2


def test_every_remedy_treats_known_symptoms_and_says_why_in_both_languages() -> None:
    for remedy in REMEDIES.values():
        assert remedy.treats and set(remedy.treats) <= {*NAMES, *SYMPTOMS}
        assert remedy.source and all(remedy.words) and all(remedy.why) and remedy.words.en != remedy.words.ja


def after(name: str, **fields: Any) -> Trial:
    """A trial with one remedy."""
    changed = REMEDIES[name].applied(Trial(**fields))
    assert changed is not None
    return changed


def idle(name: str, **fields: Any) -> bool:
    """Whether a remedy does not apply to a trial."""
    return REMEDIES[name].applied(Trial(**fields)) is None


CNN = ["conv 6 3x3", "sigmoid", "maxpool 2", "conv 8 3x3 pad 1", 20, "sigmoid", "dropout 0.9"]


def test_activations_change_in_the_trial_and_in_its_layers() -> None:
    assert after("relu", activation="sigmoid").activation.name == "relu"
    changed = after("relu", activation="tanh", layers=CNN)
    assert changed.layers == ("conv 6 3x3", "relu", "maxpool 2", "conv 8 3x3 pad 1", "flatten", 20, "relu", "dropout 0.9")
    assert changed.activation.name == "relu"
    assert after("tanh", layers=CNN).activation.name == "relu"  # which stands behind the second convolution, and is no sigmoid
    assert "sigmoid" not in after("tanh", layers=CNN).layers
    assert after("leaky-relu").activation.name == "leaky_relu" and after("elu").activation.name == "elu"
    assert idle("relu") and idle("tanh") and idle("leaky-relu", activation="tanh")


def test_initial_weights_and_batch_normalization() -> None:
    assert after("he", initializer="zeros").initializer.name == "he" and idle("he", initializer="he")
    assert after("xavier").initializer.name == "xavier"
    assert after("batch-norm-before").batch_norm == "before" and after("batch-norm-after").batch_norm == "after"
    assert idle("batch-norm-before", batch_norm="after") and idle("batch-norm-after", layers=["conv 4 3x3", "batchnorm"])
    assert idle("batch-norm-before", layers=[]) and idle("batch-norm-before", batch_size=1)
    none = after("no-batch-norm", batch_norm="before", layers=["conv 4 3x3", "batchnorm", 10])
    assert none.batch_norm == "none" and none.layers == ("conv 4 3x3", "flatten", 10)


def test_rates_optimizers_and_schedules() -> None:
    assert after("rate-up-10", learning_rate=0.003).learning_rate == 0.03
    assert after("rate-down-3", learning_rate=0.3).learning_rate == 0.1
    assert after("rate-down-100", learning_rate=5.0).learning_rate == 0.05
    assert idle("rate-up-100", learning_rate=0.0) and after("usual-rate", learning_rate=0.0).learning_rate == 0.1
    assert after("usual-rate", optimizer="adam").learning_rate == 0.001 and idle("usual-rate")
    adam = after("adam", learning_rate=3.0)
    assert (adam.optimizer.name, adam.learning_rate) == ("adam", 0.001) and idle("adam", optimizer="adamw")
    assert after("momentum").optimizer.name == "momentum" and idle("momentum", optimizer="adam")
    clipped = after("clip", clip_grad_norm=5.0)
    assert clipped.clip_grad_norm == after("clip").clip_grad_norm == 1.0 and idle("clip", clip_grad_norm=0.5)
    assert after("cosine").schedule.name == "cosine"
    assert after("warmup", steps=400).schedule.numbers["warmup"] == 20
    assert after("constant-rate", schedule={"name": "step", "every": 3}).schedule.name == "constant"
    assert after("even-rates", layer_rates=[0, 1, 1]).layer_rates == ()


def test_data_and_batches() -> None:
    assert after("standardize").data.standardize and idle("standardize", data={"name": "digits", "standardize": True})
    assert after("all-samples", data={"name": "digits", "samples": 50}).data.samples is None and idle("all-samples")
    assert after("balance").data.balance
    assert [after("larger-batch", batch_size=size).batch_size for size in (2, 8, 16)] == [32, 32, 64]
    assert idle("larger-batch", batch_size=100)


def test_penalties_dropout_and_size() -> None:
    assert after("l2-0.01").penalty.numbers["strength"] == 0.01
    strong = {"penalty": {"name": "l1", "strength": 0.5}}
    assert after("weaker-penalty", **strong).penalty.numbers["strength"] == 0.005
    assert after("no-penalty", **strong).penalty.name == "none" and idle("no-penalty") and idle("weaker-penalty")
    assert after("dropout-0.5").dropout == 0.5 and idle("dropout-0.2", dropout=0.3) and idle("dropout-0.2", layers=[])
    assert after("no-dropout", dropout=0.9).dropout == 0 and idle("no-dropout")
    assert after("no-dropout", layers=CNN).layers[-1] == "dropout 0.0"
    assert after("less-dropout", layers=CNN).layers[-1] == "dropout 0.225" and after("less-dropout", dropout=0.8).dropout == 0.2
    assert after("wider", layers=[1, 30]).layers == (16, 120) and after("narrower", layers=[1, 30]).layers == (1, 15)
    assert after("wider", layers=CNN).layers[:3] == ("conv 24 3x3", "sigmoid", "maxpool 2")
    assert after("deeper", layers=[]).layers == (64,) and after("deeper", layers=[40, 50]).layers == (40, 50, 50)
    assert after("shorter", steps=1000).steps == 250


def test_several_remedies_one_after_the_other_unless_one_undoes_another() -> None:
    trial = Trial(activation="sigmoid", layers=CNN, initializer="zeros")
    both = treated(trial, [REMEDIES["relu"], REMEDIES["wider"], REMEDIES["he"]])
    assert both is not None and both.layers[:2] == ("conv 24 3x3", "relu") and both.initializer.name == "he"
    assert treated(trial, [REMEDIES["he"], REMEDIES["xavier"]]) is None
    assert treated(trial, [REMEDIES["adam"], REMEDIES["rate-up-10"]]) is None
    assert treated(trial, [REMEDIES["he"], REMEDIES["no-penalty"]]) is None


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), st.sampled_from(["digits", "moons"]), st.integers(1, 3))
def test_remedies_change_each_in_its_own_way_and_never_the_seed(symptoms: list[str], data: str, depth: int) -> None:
    trial = Trial(data=data, layers=[9] * depth, activation="sigmoid", seed=7)
    found = [remedy.applied(trial) for remedy in remedies_for(trial, symptoms)]
    assert len(set(found)) == len(found) and trial not in found and None not in found
    assert all(one is not None and one.seed == 7 and one.data.name == data for one in found)
