"""What a study gave: a table, figures, a report, and the best trial as a plain module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from koubai.store import Record
from koubai.study import Study

if TYPE_CHECKING:
    import pandas
    from plotly.graph_objects import Figure
    from torch import nn


@dataclass(frozen=True)
class Result:
    """The records of a study. In a notebook it shows itself: the table and the curves."""

    study: Study
    records: tuple[Record, ...]

    def groups(self) -> dict[str, list[Record]]:
        """The records by variant, seeds together, in the study's order."""
        found = {record.trial: record for record in self.records}
        return {label: [found[trial] for trial in trials if trial in found] for label, trials in self.study.variants().items()}

    def table(self) -> list[dict[str, Any]]:
        """One row a variant: final accuracies with 95% intervals over seeds, attenuation, diverged; see ``report.summary``."""
        from koubai.report.summary import summarize

        return [{"variant": label, **summarize(records)} for label, records in self.groups().items()]

    def to_pandas(self) -> pandas.DataFrame:
        """One row a trial: the values of its axes and its final measures (needs pandas)."""
        import pandas

        rows = []
        for record in self.records:
            final = {name: float(curve[-1]) for name, curve in record.history.items() if np.ndim(curve) == 1}
            setting = {name: getattr(value, "name", value) for name, value in self.study.setting(record.trial).items()}
            rows.append({**setting, **final, "diverged": record.diverged, "id": record.trial.id})
        return pandas.DataFrame(rows)

    def figure(self, name: str, **options: Any) -> Figure:
        """One of the laboratory's figures over this study's variants, as plotly; ``report.figures.FIGURES`` lists them."""
        from koubai.report.figures import draw

        return draw(name, self.groups(), **options)

    def report(self, path: str | Path = "report.html") -> Path:
        """Write one self-contained HTML file, in both languages, and give its path."""
        from koubai.report.page import write

        return write(path, [self])

    def best(self) -> Best:
        """The trial with the highest final validation accuracy."""
        return Best(max(self.records, key=lambda record: np.nan_to_num(record.final("validation_accuracy"), nan=-1)))

    def _repr_html_(self) -> str:
        from koubai.report.page import fragment

        return fragment(self)

    def __repr__(self) -> str:
        """The table, as text."""
        from koubai.report.summary import as_text

        return as_text(self.table())


@dataclass(frozen=True)
class Best:
    """One trained trial."""

    record: Record

    def module(self) -> nn.Sequential:
        """The trained network as a plain ``torch.nn.Module``."""
        from koubai.networks.unstack import module

        return module(self.record.trial, self.record.weights())

    @property
    def history(self) -> Mapping[str, np.ndarray]:
        """Its history; see ``training.Outcome``."""
        return self.record.history
