"""What ``prescribe`` gives: every remedy that was tried, what it gained over the seeds, the best, the smallest, and whether it repairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from koubai.blueprint import title
from koubai.candidate import AS_GOOD, SHUFFLED, WORTH, Candidate, complaints
from koubai.doctor import Diagnosis, Joint
from koubai.language import Words, say, saying_both
from koubai.measures import is_regression, scored, spelled
from koubai.report.groups import Group
from koubai.report.summary import summarize
from koubai.spec import Trial
from koubai.statistics import interval
from koubai.store import Record
from koubai.study import Study

if TYPE_CHECKING:
    from koubai.report.page import Page

SHOWN = 4  # variants in the report's curves
ORIGINAL = Words("as it was", "元のまま")
CHOSEN = Words(
    "Each 95% interval is for its remedy alone, and gains are measured on the seeds by which the remedies were chosen: on "
    "other seeds the highest may be somewhat lower.",
    "95%区間は対策ごとのもの。効果は対策を選んだのと同じシードで測ったものなので、別のシードでは、最も高い効果がやや下がることがある。",
)
CHECK = Words(
    "The labels look shuffled, and no change to a training mends that: check that each label stands by its own input.",
    "ラベルがでたらめに見えます。学習の設定を変えても直りません。ラベルが正しい入力に付いているかを確認してください。",
)


@dataclass(frozen=True)
class Prescription:
    """A trial's diagnosis over seeds, and the remedies that were trained against it, best first; those left on the way come last."""

    name: str
    trial: Trial
    records: tuple[Record, ...]
    diagnoses: tuple[Diagnosis, ...]
    candidates: tuple[Candidate, ...]

    @cached_property
    def finalists(self) -> tuple[Candidate, ...]:
        """The candidates that were trained over all seeds."""
        return tuple(one for one in self.candidates if one.left is None)

    @cached_property
    def best(self) -> Candidate | None:
        """The remedy that ends highest, of those that repair if any does; ``None`` where none helps beyond doubt."""
        helping = [one for one in self.finalists if one.better or one.repaired]
        return max(helping, key=lambda one: (one.repaired, one.gain), default=None)

    @cached_property
    def smallest(self) -> Candidate | None:
        """The fewest remedies whose gain is as good as the best's, as far as the seeds can tell: the prescription."""
        best = self.best
        if best is None:
            return None
        equals = [one for one in self.finalists if one is best or _as_good(one, best)]
        return min(equals, key=lambda one: (len(one.remedies), -one.gain))

    @property
    def simplest(self) -> Candidate | None:
        """The best single remedy that repairs on its own, where the prescription takes more than one."""
        if self.smallest is None or len(self.smallest.remedies) == 1:
            return None
        alone = [one for one in self.finalists if len(one.remedies) == 1 and one.repaired]
        return max(alone, key=lambda one: one.gain, default=None)

    @property
    def repaired(self) -> bool:
        """Whether the prescription repairs the trial."""
        return self.smallest is not None and self.smallest.repaired

    @property
    def useless(self) -> tuple[Candidate, ...]:
        """The single remedies that did not help, as far as they were trained."""
        return tuple(
            one for one in self.candidates if len(one.remedies) == 1 and not (one.left is None and one.better) and one.gain < 0.01
        )

    @property
    def mended(self) -> Study | None:
        """The mended trial over the same seeds; ``None`` where nothing helps."""
        if self.smallest is None:
            return None
        seeds = [record.trial.seed for record in self.records]
        return Study(self.smallest.trial.replace({"seed": 0}), name=f"{self.name}-mended", axes={"seed": seeds})

    def to_toml(self) -> str:
        """The mended trial as the TOML file of a study; empty where nothing helps."""
        return self.mended.to_toml() if self.mended else ""

    def changes(self) -> dict[str, tuple[str, str]]:
        """What the prescription changes: fields, each as it was and as it is."""
        return changed(self.trial, self.smallest.trial) if self.smallest else {}

    @property
    def groups(self) -> list[Group]:
        """The runs as figures take them: the original first, then the finalists."""
        first = Group(say(ORIGINAL), {"remedy": say(ORIGINAL)}, self.records)
        return [first, *(Group(say(one.words), {"remedy": say(one.words)}, one.records) for one in self.finalists)]

    @property
    def told(self) -> list[Words]:
        """The diagnosis in sentences, each with the seeds that have it."""
        joint = Joint(self.diagnoses)
        return joint.lines() if joint.findings else list(dict.fromkeys(w for one in self.diagnoses for w in one.lines()))

    @property
    def verdict(self) -> Words:
        """The answer in one paragraph."""
        if not self.candidates:
            if any(one.findings for one in self.diagnoses):
                return Words("There is no remedy to try.", "試せる対策がありません。")
            return Words("There is nothing to mend.", "直すところはありません。")
        small = self.smallest
        if small is None:
            tried = len(self.candidates)
            nothing = Words(
                f"Nothing helps: of the remedies and pairs tried ({tried}), none raises the accuracy beyond doubt.",
                f"効く対策は見つかりません。試した {tried} 通りのどれも、精度を確実には上げません。",
            )
            if any(finding.symptom == SHUFFLED for finding in complaints(self.diagnoses)):
                nothing = Words(f"{nothing.en} {CHECK.en}", f"{nothing.ja}{CHECK.ja}")
            return scored(nothing, self.records)
        quantity = is_regression(self.records[0])
        before, mean = (spelled(float(values.mean()), quantity) for values in (small.original, small.accuracies))
        gained = points(small)
        end = (
            Words("The symptoms are gone: it is repaired.", "症状は消え、直りました。")
            if small.repaired
            else Words(
                f"It helps, but does not repair: {', '.join(small.symptoms)} is still there.",
                f"効きますが、直ってはいません(残る症状: {', '.join(small.symptoms)})。",
            )
            if small.symptoms
            else Words("It helps.", "効きます。")
        )
        rare = Words("", "")
        if small.uneven is not None:
            was, now = (spelled(float(values.mean()), quantity) for values in (small.uneven, small.recalls))
            rare = Words(f"The classes' mean recall goes from {was} to {now}. ", f"再現率のクラス平均は {was} → {now} です。")
        words = Words(
            f"validation accuracy {before} becomes {mean}, {gained.en} over {len(self.records)} seeds. {rare.en}{end.en}",
            f"検証精度 {before} → {mean}({gained.ja}、{len(self.records)} シード)。{rare.ja}{end.ja}",
        )
        said = scored(words, self.records)
        return Words(f"{small.words.en}: {said.en}", f"{small.words.ja}: {said.ja}")

    def page(self) -> Page:
        """The report: the diagnosis, the prescription, before and after, the gain of every finalist."""
        from koubai.report.page import Page, Section, drawing

        heading = Words(f"Prescription for {self.name}", f"{self.name} の処方")
        with saying_both():
            shown = self.groups
        few = [shown[0], *(g for g, one in zip(shown[1:], self.finalists, strict=True) if one in (self.smallest, self.best))]
        drawings = [drawing("gain", shown)] if len(shown) > 1 else []
        drawings += [drawing(name, few) for name in ("accuracy", "loss", "gradient-flow")]
        rows = [{"variant": group.label, **summarize(group.records)} for group in shown]
        notes = [*self.told, *self.reasons(), *([CHOSEN] if self.smallest and len(self.candidates) > 1 else [])]
        section = Section(
            self.name,
            Words("Diagnosis, remedies, evidence", "診断・対策・根拠"),
            Words("", ""),
            notes=notes,
            rows=rows,
            drawings=drawings,
        )
        facts = {name: value for name, value in self.records[0].environment.items() if value}
        return Page(heading, self.verdict, [section], facts=facts)

    def reasons(self) -> list[Words]:
        """Why the prescription should help: a sentence for each of its remedies, with the source."""
        chosen = self.smallest.remedies if self.smallest else ()
        return [
            Words(f"{one.words.en}: {one.why.en} [{one.source}]", f"{one.words.ja}: {one.why.ja} [{one.source}]")
            for one in chosen
        ]

    def report(self, path: str | Path = "prescription.html") -> Path:
        """Write one self-contained HTML file, in both languages, and give its path. Raises ``UserError`` where it cannot."""
        from koubai.report.page import write

        return write(path, self.page())

    def __repr__(self) -> str:
        """The diagnosis and the answer, in the language in force."""
        return "\n".join(say(words) for words in [*self.told, Words("", ""), self.verdict])


def _as_good(one: Candidate, best: Candidate) -> bool:
    """Whether a candidate's gain cannot be told from the best's, or differs by too little to matter."""
    if (best.repaired and not one.repaired) or not (one.better or one.repaired) or one.gain < AS_GOOD * best.gain:
        return False
    return interval(best.accuracies - one.accuracies)[0] <= WORTH


def points(one: Candidate) -> Words:
    """A gain in points of accuracy (in ``R^2`` where a quantity is predicted), with its interval where there is one."""
    quantity = is_regression(one.records[0])
    gain, low, high = (f"{value:+.3f}" if quantity else f"{100 * value:+.1f}" for value in (one.gain, *one.bounds))
    between = f" [{low}, {high}]" if np.isfinite(one.bounds[0]) and one.left is None else ""
    return (
        Words(f"{gain}{between}", f"{gain}{between}")
        if quantity
        else Words(f"{gain} points{between}", f"{gain} ポイント{between}")
    )


def changed(before: Trial, after: Trial) -> dict[str, tuple[str, str]]:
    """The fields in which two trials differ, each as text before and after."""
    names: Mapping[str, object] = Trial.model_fields
    return {
        name: (_text(getattr(before, name)), _text(getattr(after, name)))
        for name in names
        if name != "seed" and getattr(before, name) != getattr(after, name)
    }


def _text(value: object) -> str:
    return title(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)
