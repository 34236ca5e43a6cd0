"""The register, the facts of data, diagnoses of real trainings, seeds together, and the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

import koubai as kb
from koubai.data import load
from koubai.doctor import SYMPTOMS, Case, Diagnosis, Facts, Finding, Joint, diagnose
from koubai.doctor.case import facts_of
from koubai.doctor.reachable import reachable
from koubai.language import Words, speaking
from koubai.result import Result
from koubai.spec import Data
from koubai.store import Store
from tests.conftest import Ended

VARIANTS = {
    "healthy": {},
    "vanishing-gradient": {"layers": (20,) * 9, "activation": "sigmoid", "initializer": "xavier"},
    "exploding-gradient": {"layers": (20,) * 6, "initializer": {"name": "normal", "std": 2.0}},
    "saturated-activations": {"activation": "tanh", "initializer": {"name": "normal", "std": 8.0}},
    "identical-units": {"activation": "tanh", "initializer": {"name": "constant", "value": 0.1}},
    "learning-rate-too-high": {"learning_rate": 5.0, "activation": "tanh"},
    "learning-rate-too-low": {"learning_rate": 1e-4},
    "underfitting": {"layers": (1,)},
    "too-strong-regularization": {"penalty": {"name": "l2", "strength": 1.0}},
    "overfitting": {"data.samples": 30, "batch_size": 20},
    "not-a-number": {"learning_rate": 1e6, "optimizer": "sgd", "layers": (20,) * 4},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, kb.Result]:
    base = kb.Trial(layers=(40, 20), learning_rate=0.01, optimizer="adam", steps=400, batch_size=50)
    folder = tmp_path_factory.mktemp("ill")
    return {name: kb.run(base.replace(changes), store=folder, progress=False) for name, changes in VARIANTS.items()}


@pytest.mark.parametrize("name", VARIANTS)
def test_real_trainings_are_diagnosed(trained: dict[str, kb.Result], name: str) -> None:
    diagnosis = diagnose(Case.of(trained[name].records[0]))
    if name == "healthy":
        assert diagnosis.verdict == "healthy" and diagnosis.unknown == {}, str(diagnosis)
    else:
        assert diagnosis.has(name), str(diagnosis)


def test_the_root_stands_before_what_follows_from_it(trained: dict[str, kb.Result]) -> None:
    diagnosis = trained["vanishing-gradient"].best().diagnose()
    assert diagnosis.worst is not None and diagnosis.worst.symptom == "vanishing-gradient"
    assert all(one.follows for one in diagnosis.findings if one.symptom in ("plateau", "underfitting"))
    with speaking("en"):
        assert "follows from vanishing gradient" in str(diagnosis) or len(diagnosis.findings) == 1
    with speaking("ja"):
        assert "「勾配消失」の結果" in str(diagnosis) or len(diagnosis.findings) == 1


def test_symptoms_say_what_they_are_in_both_languages_and_where_thresholds_are_from() -> None:
    for name, one in SYMPTOMS.items():
        for words in (one.title, one.about, one.measure):
            assert words.en and words.ja and words.en != words.ja, name
        assert all(limit.source for limit in one.limits.values())
        assert set(one.brings) <= SYMPTOMS.keys() - {name}


def test_nothing_follows_from_itself() -> None:
    def reached(name: str) -> set[str]:
        seen: set[str] = set()
        ahead = [*SYMPTOMS[name].brings]
        while ahead:
            if (one := ahead.pop()) not in seen:
                seen.add(one)
                ahead += SYMPTOMS[one].brings
        return seen

    assert all(name not in reached(name) for name in SYMPTOMS)


def test_facts_are_those_of_the_training_samples() -> None:
    data = load(Data(name="digits"))
    facts = facts_of(Data(name="digits"))
    assert facts is not None and facts.samples == len(data.x_train) and facts.shares.sum() == pytest.approx(1)
    assert facts.counts.tolist() == [int((data.y_train == label).sum()) for label in range(10)]
    np.testing.assert_allclose(facts.mean, data.x_train.astype(float).mean(0), atol=1e-6)


def test_facts_of_data_that_are_gone_are_not_known(tmp_path: Path) -> None:
    assert facts_of(Data(name=str(tmp_path / "gone.csv"))) is None


def test_simpler_methods_tell_real_labels_from_shuffled_ones() -> None:
    data = load(Data(name="digits"))
    shuffled = np.random.default_rng(0).permutation(data.y_train)
    assert Facts.of(data.x_train, data.y_train, 10).reachable > 0.9
    assert Facts.of(data.x_train, shuffled, 10).reachable < 0.2


@pytest.mark.parametrize("name", ["digits", "moons", "xor"])
def test_what_is_reachable_is_what_scikit_learn_tells_of_samples_left_out_one_by_one(name: str) -> None:
    data = load(Data(name=name))
    x, y = data.x_train[:60].reshape(60, -1).astype(float), data.y_train[:60]
    x = (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1)
    unit = np.median(pdist(x, "sqeuclidean"))
    shares = np.bincount(y) / 60
    apart = np.eye(len(shares))[y] - shares

    def right(model: Any, target: np.ndarray) -> float:
        answers = cross_val_predict(model, x, target, cv=LeaveOneOut())
        return float(((answers + shares).argmax(1) == y).mean() if target.ndim > 1 else (answers == y).mean())

    kernels = [KernelRidge(kernel="rbf", gamma=1 / (width * unit), alpha=ridge) for width in (1, 0.25) for ridge in (0.1, 1)]
    rights = [right(KNeighborsClassifier(1), y), *(right(model, apart) for model in kernels)]
    assert reachable(data.x_train[:60].reshape(60, -1), y) == pytest.approx(max(rights))


def test_a_case_knows_what_the_network_answers(trained: dict[str, kb.Result]) -> None:
    record = trained["healthy"].records[0]
    recall = Case.of(record).recall
    assert recall is not None
    counts = np.bincount(load(record.trial.data).y_validation)
    assert (recall() * counts).sum() / counts.sum() == pytest.approx(record.final("validation_accuracy"), abs=1e-6)


def test_a_case_measures_what_it_says(trained: dict[str, kb.Result]) -> None:
    case = Case.of(trained["healthy"].records[0])
    assert case.guess == pytest.approx(np.log(10), rel=1e-3)
    assert case.learned == pytest.approx(1 - case.history["train_loss"][-1] / case.guess)
    gradient = case.history["gradient"]
    assert np.prod(case.factors[:, 1:], axis=1) == pytest.approx(gradient[:, 0] / gradient[:, -1])
    assert case.level(1, 1) == pytest.approx(case.fit[-1])
    assert case.travel.shape == (3,) and (case.travel > 0).all()
    assert Case.of(trained["not-a-number"].records[0]).taken < len(case.steps)


def joint(*found: list[tuple[str, str]]) -> Joint:
    made = [tuple(Finding(severity, Words("It is.", "そうです。"), symptom=name) for name, severity in one) for one in found]  # type: ignore[arg-type]
    return Joint(tuple(Diagnosis(one) for one in made))


def test_seeds_together_say_what_at_least_half_of_them_have() -> None:
    one = joint([("plateau", "serious")], [("plateau", "mild"), ("dead-relu", "fatal")], [], [("plateau", "mild")])
    assert [(finding.symptom, finding.severity, count) for finding, count in one.findings] == [("plateau", "serious", 3)]
    assert one.lines()[0].en == "[serious] plateau: It is. (3 of 4 seeds)"
    assert one.lines()[0].ja == "[重い] 学習の停滞: そうです。(シード 4 個中 3 個)"
    assert joint([], [], [("plateau", "mild")]).verdict == "healthy"
    unknown = Diagnosis((), dict.fromkeys(SYMPTOMS, Words("", "")))
    assert unknown.verdict == "unknown" and Joint((unknown, unknown, Diagnosis(()))).verdict == "unknown"


def test_a_result_diagnoses_its_variants(trained: dict[str, kb.Result]) -> None:
    record = trained["underfitting"].records[0]
    study = kb.Study(record.trial, axes={"seed": 2})
    diagnoses = Result(study, (record,)).diagnose()
    assert list(diagnoses) == ["base"] and len(diagnoses["base"].diagnoses) == 1
    with speaking("en"):
        assert repr(diagnoses).startswith("base\n  [") and "underfitting" in str(diagnoses)


def test_the_report_shows_the_diagnoses(trained: dict[str, kb.Result]) -> None:
    from koubai.report.page import render

    text = render(trained["underfitting"].page())
    assert '<span class="badge serious">' in text and "The doctor: something wrong with 1 of 1 variant<" in text
    assert "診断: 1設定中1設定に異常" in text
    assert "Nothing wrong found." in render(trained["healthy"].page())


STUDY = """
name = "ill"
[base]
data = "moons"
layers = [8, 8]
steps = 300
batch_size = 50
[axes]
learning_rate = [1e-5, 0.5]
seed = 2
"""


def test_the_command_speaks_of_variants_and_of_one_trial(command: Callable[..., Ended]) -> None:
    Path("ill.toml").write_text(STUDY)
    assert command("study", "ill.toml").code == 0
    every = command("diagnose", "ill", "--lang", "en")
    assert every.code == 0 and "learning rate too low" in every.out and "2 of 2 seeds" in " ".join(every.out.split())
    japanese = command("diagnose", "ill", "1", "--lang", "ja")
    assert japanese.code == 0 and "学習率が小さすぎる" in japanese.out
    table = json.loads(command("diagnose", "ill", "1", "--json", "--lang", "en").out)
    assert table["verdict"] == "ill" and table["findings"][0]["symptom"] in SYMPTOMS
    assert table["findings"][0]["evidence"]
    variants = json.loads(command("diagnose", "ill", "--json").out)
    assert [len(seeds) for seeds in variants.values()] == [2, 2]


def test_the_command_refuses_what_is_not_there(command: Callable[..., Ended]) -> None:
    Path("ill.toml").write_text(STUDY)
    command("study", "ill.toml")
    Store(Path("koubai-out/store")).note(kb.Study(kb.Trial(), name="interrupted"))
    for words in (["diagnose", "nothing"], ["diagnose", "ill", "no"], ["diagnose", "interrupted"]):
        ended = command(*words)
        assert ended.code == 2 and not ended.out and ended.err.count("\n") == 1


def test_without_its_data_a_record_is_still_looked_at(trained: dict[str, kb.Result]) -> None:
    case = Case.of(trained["healthy"].records[0])
    diagnosis = diagnose(replace(case, facts=None))
    assert set(diagnosis.unknown) == {"inputs-not-standardized", "class-imbalance", "shuffled-labels"}
    assert diagnosis.verdict == "healthy"
