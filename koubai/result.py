"""What a study gave: a table, figures, a report, and the best trial as a plain module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from koubai.doctor.hope import why
from koubai.language import UserError, Words, counted, say
from koubai.measures import is_regression, scored, spelled
from koubai.report.groups import MOST_PANELS, Group, few, spoken
from koubai.store import Record, write_out
from koubai.study import Study

if TYPE_CHECKING:
    import pandas
    from plotly.graph_objects import Figure
    from torch import nn

    from koubai.doctor import Diagnoses, Diagnosis
    from koubai.prediction import Prediction
    from koubai.report.page import Page, Section

USUAL = (
    "accuracy", "loss", "predicted", "filters", "feature-maps", "confusion", "mistakes",
    "ledger", "gradient-flow", "gradient-norm", "activations", "rates", "scales", "final",
)  # fmt: skip
MOST_ROWS = 100  # of a table on the screen


@dataclass(frozen=True)
class Result:
    """The records of a study. In a notebook it shows itself: the table and the curves."""

    study: Study
    records: tuple[Record, ...]

    @cached_property
    def groups(self) -> list[Group]:
        """The records by variant, seeds together, in the study's order; variants without any are left out."""
        found = {record.trial: record for record in self.records}
        there = {label: [found[t] for t in trials if t in found] for label, trials in self.study.variants().items()}
        return [Group(label, self.study.labels(records[0].trial), records) for label, records in there.items() if records]

    @cached_property
    def table(self) -> list[dict[str, Any]]:
        """One row a variant: final accuracies with 95% intervals over seeds, attenuation, diverged; see ``report.summary``."""
        return _rows(self.groups)

    def to_pandas(self) -> pandas.DataFrame:
        """One row a trial: the values of its axes and its final measures. Raises ``UserError`` where pandas is not installed."""
        try:
            import pandas
        except ImportError:
            raise UserError(
                "pandas is not installed; try: pip install pandas",
                "pandas がインストールされていません。pip install pandas を試してください。",
            ) from None

        rows = []
        for record in self.records:
            final = {name: float(curve[-1]) for name, curve in record.history.items() if np.ndim(curve) == 1}
            labels = self.study.labels(record.trial)  # two techniques of one name differ in their numbers
            setting = self.study.setting(record.trial)
            setting = {name: labels[name] if hasattr(value, "compact") else value for name, value in setting.items()}
            rows.append({**setting, **final, "diverged": record.diverged, "stopped": record.stopped, "id": record.trial.id})
        return pandas.DataFrame(rows)

    def figure(self, name: str) -> Figure:
        """One of the laboratory's figures over this study's variants, as plotly; ``figures()`` names those that can show them."""
        from koubai.report.figures import draw

        return draw(name, self.groups)

    def figures(self) -> list[str]:
        """The names of the figures that can show this study."""
        from koubai.report.figures import FIGURES

        return [name for name, kind in FIGURES.items() if kind.fits(self.groups)]

    def diagnose(self) -> Diagnoses:
        """What is wrong with each variant, seeds together: symptom, layer, cause; see ``koubai.doctor``."""
        from koubai.doctor import Case, Diagnoses, Joint, diagnose

        return Diagnoses(
            (group.label, Joint(tuple(diagnose(Case.of(record)) for record in group.records))) for group in self.groups
        )

    def section(self, figures: Sequence[str] = (), again: str = "", **words: Any) -> Section:
        """This study as a part of a report, with the named figures or the usual ones.

        ``again`` is the command that draws them anew, ``words`` are those of ``Section``.
        """
        from koubai.report.page import Section, drawing

        name = self.study.name
        fitting = self.figures()
        usual = [one for one in USUAL if one in fitting and not (one == "final" and len(self.groups) < 12)]
        drawings = [
            drawing(one, self.groups, f"{again} --figure {one}" if again else f'result.figure("{one}")')
            for one in figures or usual
        ]
        given = {"name": name, "title": Words(name, name), "about": Words("", ""), **words}
        given["notes"] = [*given.get("notes", ()), *self.stops(), *self._crowded()]
        return Section(rows=self.table, drawings=drawings, diagnoses=self.diagnose(), **given)

    def report(self, path: str | Path = "report.html") -> Path:
        """Write one self-contained HTML file, in both languages, and give its path. Raises ``UserError`` where it cannot."""
        from koubai.report.page import write

        return write(path, self.page())

    def curves(self, path: str | Path = "curves.csv") -> Path:
        """Write the curves of all trials as CSV, a row a point, and give its path. Raises ``UserError`` where it cannot."""
        from koubai.report.curves import as_csv

        return write_out(Path(path), as_csv(self.groups).encode())

    def page(self, section: Section | None = None) -> Page:
        """The report, before it is written: of one section, as ``section`` makes it."""
        from koubai.report.page import Page

        section = section or self.section()
        lead = Words(
            f"{counted(len(self.records), 'trained network')}, {counted(len(self.groups), 'variant')}.",
            f"学習したネットワーク {len(self.records):,} 個、設定 {len(self.groups)} 通り。",
        )
        return Page(section.title, lead, [section], facts=self.facts())

    def facts(self) -> dict[str, str]:
        """What the numbers depend on beside the specs: versions, machine, device, threads."""
        return {name: value for name, value in self.records[0].environment.items() if value} if self.records else {}

    def stops(self) -> list[Words]:
        """Which trials were stopped, when and why: a sentence for each reason."""
        found: dict[Words, list[Record]] = {}
        for record in self.records:
            finding = why(record)
            if record.stopped:
                found.setdefault(finding.title if finding else NO_REASON, []).append(record)
        return [_stopped(title, records, len(self.records)) for title, records in found.items()]

    def _crowded(self) -> list[Words]:
        """That figures show the ends of what there is, where it is too much for them."""
        count = len(self.groups)
        if count <= MOST_PANELS:
            return []
        words = Words(
            f"{count:,} variants: a figure without room for all shows the best and the worst by final validation accuracy, the table all.",
            f"設定は {count:,} 通り。図に収まらないときは、最終の検証精度の上位と下位だけを描きます(表には全設定があります)。",
        )
        return [spoken(words, self.groups)]

    def best(self) -> Best:
        """The trial with the highest final validation accuracy."""
        return Best(max(self.records, key=lambda record: np.nan_to_num(record.final("validation_accuracy"), nan=-np.inf)))

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display

        display(HTML(self._repr_html_()))
        display(self.figure("accuracy" if "accuracy" in self.figures() else "final"))

    def _repr_html_(self) -> str:
        from markupsafe import escape

        from koubai.report.summary import cells, columns

        table = _rows(few(self.groups, MOST_ROWS))
        heads = columns(table)
        head = "".join(f"<th>{escape(say(words))}</th>" for words in heads.values())
        rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells(row, heads)) + "</tr>" for row in table)
        notes = "".join(f"<p>{escape(say(words))}</p>" for words in self._cut())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{notes}"

    def __repr__(self) -> str:
        """The table, as text; of very many variants its ends."""
        from koubai.report.summary import as_text

        return "\n".join([as_text(_rows(few(self.groups, MOST_ROWS))), *map(say, [*self._cut(), *self.stops()])])

    def _cut(self) -> list[Words]:
        """That a table on the screen shows the ends of what there is, where it is too much to read."""
        count = len(self.groups)
        if count <= MOST_ROWS:
            return []
        words = Words(
            f"{count:,} variants: these are the best and the worst {MOST_ROWS // 2} by final validation accuracy; result.table has all.",
            f"設定は {count:,} 通り。最終の検証精度の上位と下位 {MOST_ROWS // 2} 個ずつを表示しています(すべては result.table に)。",
        )
        return [spoken(words, self.groups)]


def _rows(groups: Sequence[Group]) -> list[dict[str, Any]]:
    from koubai.report.summary import summarize

    return [{"variant": group.label, **summarize(group.records)} for group in groups]


NO_REASON = Words("reason unknown: the data are gone", "理由不明(データが見つからない)")


def _stopped(title: Words, records: Sequence[Record], of: int) -> Words:
    steps = sorted({record.stopped for record in records})
    when = "-".join(f"{step:,}" for step in (steps if len(steps) < 3 else (steps[0], steps[-1])))
    return Words(
        f"Stopped: {len(records)} of {counted(of, 'trial')} at step {when} of {records[0].trial.steps:,} ({title.en}).",
        f"打ち切り: {of} 試行のうち {len(records)} 個を {records[0].trial.steps:,} ステップ中 {when} で({title.ja})。",
    )


@dataclass(frozen=True)
class Best:
    """One trained trial."""

    record: Record

    def __repr__(self) -> str:
        """The trial and how well it did, in the language in force."""
        value = spelled(self.record.final("validation_accuracy"), is_regression(self.record))
        words = Words(
            f"{self.record.trial!r}: validation accuracy {value}",
            f"{self.record.trial!r}: 検証精度 {value}",
        )
        return say(scored(words, [self.record]))

    def module(self) -> nn.Sequential:
        """The trained network as a plain ``torch.nn.Module`` that takes rows ``[sample, feature]``, images flattened too."""
        from koubai.data import load
        from koubai.networks.unstack import module

        return module(self.record.trial, self.record.weights(), load(self.record.trial.data).shape)

    def export(self, folder: str | Path, *, onnx: bool = False) -> Path:
        """Write the network into a new folder that needs no Koubai; see ``koubai.export``. Raises ``UserError``."""
        from koubai.export import export

        return export(self.record, folder, Path(folder).name, onnx)

    def predict(self, path: str | Path) -> Prediction:
        """What the network says of an image, a folder of images, a CSV or an ``.npz``. Raises ``UserError``."""
        from koubai.prediction import predict

        return predict(self.record, path)

    def diagnose(self) -> Diagnosis:
        """What is wrong with its training: symptom, layer, cause; see ``koubai.doctor``."""
        from koubai.doctor import Case, diagnose

        return diagnose(Case.of(self.record))

    @property
    def history(self) -> Mapping[str, np.ndarray]:
        """Its history; see ``training.Outcome``."""
        return self.record.history
