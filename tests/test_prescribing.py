"""Prescribing: gains by hand, which remedy is chosen, what is trained and kept, and what the command says and writes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import koubai as kb
from koubai.candidate import Candidate, complaints, reached
from koubai.doctor import Diagnosis, Finding
from koubai.doctor.remedies import REMEDIES
from koubai.language import UserError, Words, speak
from koubai.prescribing import FINALISTS, FIRST, LEFT, hopeless, prescribe, tried
from koubai.prescription import CHOSEN, Prescription, changed, points
from koubai.report.figures import FIGURES, draw
from koubai.spec import Trial
from koubai.store import Record, Store
from koubai.study import together

NOBODY = Diagnosis(())
ORIGINAL = np.array([0.10, 0.12, 0.08, 0.10, 0.10])


def ill(*symptoms: str, severity: Any = "serious") -> Diagnosis:
    return Diagnosis(tuple(Finding(severity, Words("bad", "悪い"), symptom=name) for name in symptoms))


def records(trial: Trial, accuracies: Sequence[float]) -> tuple[Record, ...]:
    """Records of these final validation accuracies, one a seed; NaN: diverged."""
    return tuple(
        Record(
            trial.replace({"seed": seed}), (), (), np.array([0, 10]), np.array([0]), int(not np.isfinite(value)),
            {"validation_accuracy": np.array([0.1, value]), "train_accuracy": np.array([0.1, value])}, {}, Path(), 0,
        )
        for seed, value in enumerate(accuracies)
    )  # fmt: skip


def candidate(names: Sequence[str], accuracies: Sequence[float], diagnosis: Diagnosis = NOBODY, **rest: Any) -> Candidate:
    remedies = tuple(REMEDIES[name] for name in names)
    trial = Trial(initializer="he", seed=0)
    seen = (diagnosis,) * len(accuracies)
    return Candidate(remedies, trial, records(trial, accuracies), seen, ORIGINAL, frozenset({"plateau"}), **rest)


def prescription(*candidates: Candidate) -> Prescription:
    trial = Trial(initializer="zeros", seed=3)
    return Prescription("t", trial, records(trial, ORIGINAL.tolist()), (ill("plateau"),) * 5, candidates)


def test_a_gain_is_the_mean_over_seeds_of_paired_differences_with_students_interval() -> None:
    one = candidate(["he"], [0.90, 0.92, 0.90, 0.88, 0.90])
    gains = np.array([0.80, 0.80, 0.82, 0.78, 0.80])  # by hand
    np.testing.assert_allclose(one.gains, gains)
    assert one.gain == pytest.approx(0.80)
    half = stats.t.ppf(0.975, 4) * np.sqrt(0.0002) / np.sqrt(5)  # the sample variance of the gains, by hand
    np.testing.assert_allclose(one.bounds, [0.8 - half, 0.8 + half])
    assert one.better and one.cured and one.repaired
    assert points(one).en == f"+80.0 points [{80 - 100 * half:+.1f}, {80 + 100 * half:+.1f}]"


def test_a_gain_in_r2_is_told_as_one_and_what_is_worse_than_the_mean_counts_as_the_mean() -> None:
    def of_quantity(*values: float) -> tuple[Record, ...]:
        made = records(Trial(), values)
        for record, value in zip(made, values, strict=True):
            record.history["validation_rmse"] = np.array([2.0, 1.0]) + 0 * value
        return made

    before, after = of_quantity(-8.5e30, 0.05, float("nan")), of_quantity(0.40, 0.45, 0.44)
    original = np.array([reached(record) for record in before])
    assert original.tolist() == [0, 0.05, 0]
    one = Candidate((REMEDIES["adam"],), Trial(), after, (NOBODY,) * 3, original, frozenset({"plateau"}))
    low, high = stats.t.interval(0.95, 2, 0.41333333, stats.sem([0.40, 0.40, 0.44]))
    assert points(one).en == points(one).ja == f"+0.413 [{low:+.3f}, {high:+.3f}]"
    found = Prescription("t", Trial(), before, (ill("plateau"),) * 3, (one,))
    assert "validation R² 0.017 becomes 0.430" in found.verdict.en and "検証R² 0.017 → 0.430" in found.verdict.ja
    assert "%" not in found.verdict.en + found.verdict.ja and "accuracy" not in repr(found)


def test_a_gain_in_doubt_is_none_and_bounds_end_at_an_accuracy_of_1() -> None:
    doubtful = candidate(["he"], [0.90, 0.1, 0.1, 0.1, 0.1])
    assert not doubtful.better and not doubtful.repaired
    assert candidate(["he"], [0.99, 0.2, 0.99, 0.99, 0.99]).bounds[1] == pytest.approx(0.9)


def test_five_seeds_that_all_gain_are_beyond_doubt_though_one_gains_far_more() -> None:
    one = candidate(["he"], [0.58, 0.235, 0.155, 0.18, 0.17])  # gains of 48, 11.5, 7.5, 8 and 7 points
    assert one.bounds[0] < 0 < one.gains.min() and one.better
    assert not candidate(["he"], [0.58, 0.235, 0.155, 0.18, 0.105]).better  # the last gains half a point
    few = dataclasses.replace(one, records=one.records[:4])
    assert few.bounds[0] < 0 and not few.better


def test_repaired_is_cured_and_better_or_well_and_no_worse() -> None:
    high = [0.90, 0.92, 0.90, 0.88, 0.90]
    assert not candidate(["he"], high, ill("plateau")).repaired
    assert candidate(["he"], high, ill("overfitting")).repaired  # another one, which it was not brought for
    same = (ORIGINAL + 0.001 * np.array([1, -1, 0, 1, -1])).tolist()
    # two seeds gain nothing, and so much is gained by others that the interval reaches below 0
    uneven = [0.90, 0.12, 0.58, 0.10, 0.40]
    assert candidate(["he"], uneven).bounds[0] < -0.01 and candidate(["he"], uneven).repaired
    assert not candidate(["he"], [0.90, 0.10, 0.58, 0.10, 0.40]).repaired  # one seed loses two points
    assert candidate(["he"], same).repaired and not candidate(["he"], same, ill("overfitting")).repaired


def test_uneven_classes_are_repaired_where_the_rare_ones_are_recognized_and_not_by_the_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recall = {"now": 0.5}
    monkeypatch.setattr("koubai.candidate.recognized", lambda record: recall["now"] + 0.001 * record.trial.seed)
    same = candidate(["balance"], ORIGINAL.tolist(), uneven=np.array([0.5, 0.502, 0.501, 0.503, 0.505]))
    assert same.cured and not same.repaired and prescription(same).smallest is None
    recall["now"] = 0.7
    one = candidate(["balance"], (ORIGINAL - 0.02).tolist(), uneven=same.uneven)  # the accuracy, mostly of the others, may fall
    assert one.repaired and not dataclasses.replace(one, ills=frozenset(), diagnoses=(ill("plateau"),) * 5).better
    said = prescription(one).verdict
    assert "mean recall goes from 50.2% to 70.2%" in said.en and "再現率のクラス平均は 50.2% → 70.2% です。" in said.ja


def test_no_gain_counts_while_labels_look_shuffled() -> None:
    """Always naming the largest class may be a sure gain over naming it seldom, and is nothing learned."""
    gained = [0.30, 0.32, 0.28, 0.30, 0.30]
    one = dataclasses.replace(candidate(["he"], gained, ill("shuffled-labels")), ills=frozenset({"shuffled-labels"}))
    found = dataclasses.replace(prescription(one), diagnoses=(ill("shuffled-labels"),) * 5)
    assert one.bounds[0] > 0 and not one.better and found.smallest is None
    assert "check that each label" in found.verdict.en and "確認してください" in found.verdict.ja
    learned = dataclasses.replace(one, diagnoses=(NOBODY,) * 5)  # they only looked so: the network could not learn them
    assert learned.better and learned.repaired
    assert candidate(["he"], gained, ill("shuffled-labels")).better  # they did not look so at first


def test_complaints_are_what_most_seeds_have_mild_ones_last() -> None:
    names = [finding.symptom for finding in complaints([ill("plateau"), ill("plateau", "dead-relu"), NOBODY])]
    assert names == ["plateau"]
    mild = ill("overfitting", severity="mild")
    both = Diagnosis((*ill("plateau").findings, *mild.findings))
    assert [f.symptom for f in complaints([both, both])] == ["plateau"] and [f.symptom for f in complaints([mild])] == [
        "overfitting"
    ]
    unlike = [f.symptom for f in complaints([ill("plateau"), ill("dead-relu"), ill("not-a-number")])]
    assert unlike == ["plateau", "dead-relu", "not-a-number"] and complaints([NOBODY]) == []


def test_the_prescription_is_the_fewest_remedies_that_do_as_well_as_the_best() -> None:
    pair = candidate(["he", "adam"], [0.93, 0.95, 0.92, 0.93, 0.95])
    near = candidate(["he"], [0.92, 0.955, 0.92, 0.93, 0.945])
    far = candidate(["adam"], [0.5, 0.9, 0.4, 0.9, 0.99])  # noisy, so not distinguishable, but another thing
    found = prescription(pair, near, far)
    assert found.best is pair and found.smallest is near and found.repaired
    worse = candidate(["he"], [0.90, 0.92, 0.89, 0.90, 0.92])  # 3 points below in every seed: that is worth a change
    slightly = candidate(["he"], [0.92, 0.94, 0.91, 0.92, 0.94])  # 1 point below in every seed: that is not
    assert prescription(pair, slightly).smallest is slightly
    assert prescription(pair, worse).smallest is pair
    still = candidate(["he"], [0.92, 0.955, 0.92, 0.93, 0.945], ill("plateau"))
    assert prescription(pair, still).smallest is pair
    assert "repaired" in found.verdict.en and "直りました" in found.verdict.ja


def test_a_remedy_is_enough_where_even_right_answers_alone_would_not_be_preferred() -> None:
    good, perfect = candidate(["he"], [0.985, 0.98, 0.985, 0.98, 0.985]), candidate(["he", "adam"], [1.0] * 5)
    assert good.enough and prescription(good, perfect).smallest is good
    assert not candidate(["he"], [0.985, 0.98, 0.985, 0.98, 0.985], ill("plateau")).enough
    assert not candidate(["he"], [0.97] * 5).enough and prescription(candidate(["he"], [0.97] * 5), perfect).smallest is perfect
    before = np.full(5, 0.9)  # of the 10 points that can be gained, 8.5 are less than 90%
    most, all_of_it = (dataclasses.replace(one, original=before) for one in (good, perfect))
    assert most.repaired and not most.enough and prescription(most, all_of_it).smallest is all_of_it


@pytest.mark.parametrize("alone", [0.99, 0.9])
@pytest.mark.parametrize("small", [True, False])
def test_remedies_are_paired_only_where_none_is_enough(alone: float, small: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("koubai.prescribing.seen", lambda records: (NOBODY,) * len(records))
    monkeypatch.setattr("koubai.prescribing.SMALL", math.inf if small else 0)
    patient = prescription()
    trained: list[int] = []

    def train(trials: Sequence[Trial], seeds: Sequence[int]) -> list[list[Record]]:
        trained.append(len(trials) * len(seeds))
        reached = [alone if trial.initializer.name == "he" else 0.5 for trial in trials]
        return [[records(trial, [value] * 5)[seed] for seed in seeds] for trial, value in zip(trials, reached, strict=True)]

    single = [(REMEDIES[name],) for name in ("he", "xavier", "rate-up-3")]
    found = tried(patient, frozenset({"plateau"}), single, (), range(5), train)
    assert found[0].remedies == single[0] and len(found[0].records) == 5 and found[0].left is None
    assert any(len(one.remedies) == 2 for one in found) == (alone < 0.98)
    if alone > 0.98:  # those that gain half of it are not proved before it
        assert trained == ([15] if small else [6, 3])


def test_left_out_candidates_are_never_prescribed() -> None:
    left = candidate(["he"], [0.97, 0.97], left=Words("others promise more", "ほかの方が有望"))
    assert prescription(left).best is None
    assert points(left).en == "+86.0 points"


def test_where_nothing_helps_it_says_so() -> None:
    found = prescription(candidate(["he"], [0.1, 0.11, 0.09, 0.1, 0.1], ill("plateau")))
    assert found.best is None and found.smallest is None and not found.repaired
    assert found.to_toml() == "" and found.changes() == {} and found.verdict.en.startswith("Nothing helps")
    assert [one.remedies[0].name for one in found.useless] == ["he"]


def test_the_mended_trial_is_a_study_over_the_same_seeds() -> None:
    found = prescription(candidate(["he"], [0.90, 0.92, 0.90, 0.88, 0.90]))
    study = kb.Study.from_toml(found.to_toml())
    assert [trial.seed for trial in study.trials] == [0, 1, 2, 3, 4]
    assert {str(trial.initializer) for trial in study.trials} == {"he"}
    assert found.changes() == {"initializer": ("zeros", "he")}
    assert changed(Trial(), Trial(learning_rate=1e-3, layers=[4, 4])) == {
        "layers": ("40-20", "4-4"),
        "learning_rate": ("0.1", "0.001"),
    }


def test_a_candidate_is_hopeless_where_all_diverged_or_all_are_fatally_ill_for_nothing() -> None:
    nan = float("nan")
    one = candidate(["he"], [0.1, 0.1])
    gone = dataclasses.replace(one, records=tuple(dataclasses.replace(r, diverged=3) for r in one.records))
    assert hopeless(gone) == Words("diverged", "発散")
    assert records(Trial(), [nan])[0].diverged == 1
    fatal = ill("dead-relu", severity="fatal")
    assert hopeless(candidate(["he"], [0.1, 0.1], fatal)) == Words("dead ReLU units", "死んだReLU")
    assert hopeless(candidate(["he"], [0.5, 0.6], fatal)) is None and hopeless(one) is None


def test_trials_and_seeds_make_one_study() -> None:
    base = Trial(initializer="zeros")
    trials = [base.replace({"initializer": "he"}), base.replace({"batch_norm": "before", "data.standardize": True})]
    study = together(base, [base, *trials], [2, 5], "name")
    assert {(t.replace({"seed": 0}), t.seed) for t in study.trials} == {(t, seed) for t in (base, *trials) for seed in (2, 5)}
    assert kb.Study.from_toml(study.to_toml()).trials == study.trials


def test_too_few_seeds_are_refused() -> None:
    with pytest.raises(UserError, match="at least 2 seeds, not 1"):
        prescribe(Trial(), seeds=1)


BROKEN = Trial(layers=[16], initializer="zeros", steps=300)


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Prescription, Store]:
    store = Store(tmp_path_factory.mktemp("mended") / "store")
    return kb.prescribe(BROKEN, seeds=3, store=store, device="cpu", progress=False), store


def test_a_broken_network_is_repaired_by_one_remedy(mended: tuple[Prescription, Store]) -> None:
    found, store = mended
    assert found.repaired and found.smallest is not None and len(found.smallest.remedies) <= 2
    assert "initializer" in found.changes() and len(found.changes()) <= 3
    assert found.smallest.accuracies.mean() > 0.8 and (ORIGINAL.mean() - found.smallest.original).max() < 0.1
    assert all(not record.stopped for one in found.finalists for record in one.records)
    assert [study["name"] for study in store.studies()] == ["trial-prescription"]
    assert str(found).count("\n") >= 2 and "validation accuracy" in repr(found)


@pytest.mark.slow
def test_larger_networks_try_remedies_over_two_seeds_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("koubai.prescribing.SMALL", 0)
    slow = Trial(layers=[16], learning_rate=1e-4, steps=200)
    found = prescribe(slow, seeds=4, store=tmp_path / "store", device="cpu", progress=False)
    assert found.repaired and 1 <= len(found.finalists) <= FINALISTS
    left = [one for one in found.candidates if one.left]
    assert left and all(len(one.records) == FIRST for one in left if one.left == LEFT)
    assert [one.left is None for one in found.candidates] == sorted((one.left is None for one in found.candidates), reverse=True)
    best_left = max(one.accuracies.mean() for one in left)
    alone = [one for one in found.finalists if len(one.remedies) == 1]
    assert alone and found.best is not None and found.best.accuracies.mean() > best_left - 0.05


def test_asking_again_trains_nothing(mended: tuple[Prescription, Store]) -> None:
    found, store = mended
    again = kb.prescribe(BROKEN, seeds=3, store=store, device="cpu", progress=lambda *_: pytest.fail("trained again"))
    assert again.to_toml() == found.to_toml()
    assert [one.gain for one in again.candidates] == [one.gain for one in found.candidates]


def test_the_report_holds_the_answer_and_its_figures(mended: tuple[Prescription, Store], tmp_path: Path) -> None:
    page = mended[0].report(tmp_path / "p.html").read_text(encoding="utf-8")
    assert mended[0].verdict.ja in page and mended[0].smallest is not None
    assert FIGURES["gain"].title.ja in page and "as it was" in page and "元のまま" in page
    assert CHOSEN.en in page and CHOSEN.ja in page
    assert CHOSEN not in dataclasses.replace(mended[0], candidates=mended[0].candidates[:1]).page().sections[0].notes


def test_the_figure_of_gains_shows_paired_differences(mended: tuple[Prescription, Store]) -> None:
    found = mended[0]
    figure = draw("gain", found.groups)
    shown = {label: x for trace in figure.data for label, x in zip(trace.y, trace.x, strict=True)}
    for one in found.finalists:
        assert shown[one.words.en] == pytest.approx(100 * one.gain, rel=1e-3, abs=0.01)
    with pytest.raises(UserError):
        draw("gain", found.groups[:1])


def test_an_interrupt_keeps_what_had_finished(tmp_path: Path) -> None:
    store, heard = Store(tmp_path / "store"), 0

    def interrupt(what: str, trial: Trial, steps: int, spared: int) -> None:
        nonlocal heard
        heard += 1
        if trial.initializer.name == "he":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prescribe(BROKEN, seeds=2, store=store, device="cpu", threads=1, progress=interrupt)
    kept = store.has([BROKEN, BROKEN.replace({"seed": 1})])
    assert heard and len(kept) == 2
    assert prescribe(BROKEN, seeds=2, store=store, device="cpu", progress=False).best is not None


@pytest.mark.slow
def test_a_healthy_trial_needs_nothing(tmp_path: Path) -> None:
    found = prescribe(Trial(steps=1000), seeds=2, store=tmp_path / "store", device="cpu", progress=False)
    assert not found.candidates and found.mended is None and found.verdict.en == "There is nothing to mend."


@pytest.mark.slow
def test_the_notes_network_is_repaired_by_what_the_notes_say(tmp_path: Path) -> None:
    trial = Trial(activation="sigmoid", initializer="normal", steps=800)
    found = prescribe(trial, seeds=3, store=tmp_path / "store", device="cpu", progress=False)
    helps = {one.remedies[0].name for one in found.finalists if len(one.remedies) == 1 and one.better}
    assert found.repaired and {"tanh", "he", "xavier", "batch-norm-before"} <= helps
    assert found.smallest is not None and found.smallest.accuracies.mean() > 0.9


@pytest.mark.slow
def test_clipping_alone_holds_a_network_that_its_gradients_throw_away(tmp_path: Path) -> None:
    trial = Trial(layers=[40] * 4, optimizer="momentum", learning_rate=0.3, steps=300)
    found = prescribe(trial, seeds=3, store=tmp_path / "store", device="cpu", progress=False)
    (clip,) = (one for one in found.candidates if [remedy.name for remedy in one.remedies] == ["clip"])
    assert clip.trial == trial.replace({"clip_grad_norm": 1.0}) and clip.better and clip.cured
    assert clip.accuracies.mean() > 0.9 > 0.5 > clip.original.mean()


@pytest.mark.slow
def test_labels_that_mean_nothing_cannot_be_mended(tmp_path: Path) -> None:
    trial = Trial(data="noise", layers=[16], steps=200)
    found = prescribe(trial, seeds=3, store=tmp_path / "store", device="cpu", progress=False)
    assert any(diagnosis.has("shuffled-labels") for diagnosis in found.diagnoses)
    assert found.smallest is None and "check that each label" in found.verdict.en


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_command_prescribes_prints_and_writes(command: Callable[..., Any], language: str, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('name = "s"\n[base]\nlayers = [16]\ninitializer = "zeros"\nsteps = 200\n')
    assert command("study", "s.toml", "--out", "o").code == 0
    speak(None)
    ended = command("prescribe", "s", "1", "--seeds", "2", "--out", "o", "--lang", language)
    assert ended.code == 0, ended.err
    said = ("Diagnosis", "Prescription", "initializer: zeros →", "Did not help", "Mended trial")
    said = said if language == "en" else ("診断", "処方", "initializer: zeros →", "直した試行")
    assert all(words in ended.out for words in said if words != "Did not help")
    (mended,) = (tmp_path / "o").glob("s-*-mended.toml")
    assert kb.Study.from_toml(mended.read_text()).base.initializer.name in ("he", "xavier")
    assert len(list((tmp_path / "o").glob("s-*-prescription.html"))) == 1
    assert command("runs", "--out", "o").out.count("prescription") == 1


def test_the_command_says_what_it_cannot_find(command: Callable[..., Any]) -> None:
    ended = command("prescribe", "nothing", "best")
    assert ended.code == 2 and "Nothing has been run" in ended.err
