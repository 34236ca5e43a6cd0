"""A study: a base trial and axes, which expands into trials. It comes from Python or TOML, and goes back to TOML."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from numbers import Integral
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from koubai.blueprint import title
from koubai.choices import Choice, is_number
from koubai.language import UserError
from koubai.mistakes import brief, sentence
from koubai.spec import Data, Trial, plain

LARGEST = 1_000_000  # trials of one study: more is a slip of the pen
LOOKED_AT = 100  # values of an axis, before a study is expanded


class Study(BaseModel):
    """A base trial and axes; it expands into the product of all axes, those of one ``zip`` moving together.

    ``axes`` maps a field of a trial (or a number in it, ``"optimizer.momentum"``) to the values it takes; ``seed = 10`` means ten
    seeds. ``zip`` is a list of tables of axes of equal length. ``stop = "diagnosis"`` stops trials that the doctor finds hopeless. Raises
    ``UserError``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: str = "study"
    base: Trial = Field(default_factory=Trial)
    axes: dict[str, tuple[Any, ...]] = {}
    zip: tuple[dict[str, tuple[Any, ...]], ...] = ()
    stop: Literal["none", "diagnosis"] = "none"

    def __init__(self, /, base: Trial | Mapping[str, Any] | None = None, **fields: Any) -> None:
        """Validate; ``base`` is a ``Trial`` or a table of its fields."""
        base = Trial() if base is None else base if isinstance(base, Trial) else Trial(**_table("base", base))
        axes = {name: _values(name, values) for name, values in _table("axes", fields.pop("axes", {})).items()}
        zips = fields.pop("zip", ())
        zips = [zips] if isinstance(zips, Mapping) else zips
        if not isinstance(zips, Sequence) or isinstance(zips, str):
            raise UserError("zip must be a list of tables of axes.", "zip は軸の表のリストにしてください。")
        zips = tuple(
            {name: _values(name, values) for name, values in _table("zip", group).items()} for group in zips if group != {}
        )
        try:
            super().__init__(base=base, axes=axes, zip=zips, **fields)
        except ValidationError as error:
            raise sentence(error, Study) from None
        self._check()

    def _check(self) -> None:
        names = [*self.axes, *itertools.chain.from_iterable(self.zip)]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise UserError(f"The axis {twice!r} is given twice.", f"軸 {twice!r} が2回指定されています。")
        for group in self.zip:
            if len({len(values) for values in group.values()}) > 1:
                lengths = ", ".join(f"{name}: {len(values)}" for name, values in group.items())
                raise UserError(
                    f"The axes of one zip must be equally long, not {lengths}.",
                    f"1つの zip の軸は同じ長さにしてください({lengths})。",
                )
        if len(self) > LARGEST:
            raise UserError(
                f"The axes make {len(self):,} trials; a study has at most {LARGEST:,}.",
                f"軸の組み合わせは {len(self):,} 試行になります。上限は {LARGEST:,} です。",
            )
        few = {n: vs[:LOOKED_AT] for group in (self.axes, *self.zip) for n, vs in group.items()}  # the trials tell of the others
        for name, value in [(n, v) for n, vs in few.items() for v in vs]:
            try:
                self.base.replace({name: value})
            except UserError:  # not beside the base, but perhaps beside the other axes: the trials themselves decide
                len(self.trials)
                return

    def __len__(self) -> int:
        """How many combinations the axes make."""
        return math.prod(map(len, self.axes.values())) * math.prod(len(next(iter(g.values()), ())) for g in self.zip)

    def __iter__(self) -> Iterator[Trial]:  # type: ignore[override]
        """The trials, each once, in the order of the axes."""
        return iter(self.trials)

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """The trials, each once, in the order of the axes."""
        return tuple(self._settings)

    @cached_property
    def _settings(self) -> dict[Trial, dict[str, Any]]:
        """Each trial with the values of the axes that made it."""
        settings: dict[Trial, dict[str, Any]] = {}
        for parts in itertools.product(*self._groups):
            setting = {name: value for part in parts for name, value in part.items()}
            settings.setdefault(self.base.replace(setting), setting)
        return settings

    @property
    def _groups(self) -> list[list[dict[str, Any]]]:
        """The values of each axis, or of those that move together."""
        groups = [[{name: value} for value in values] for name, values in self.axes.items()]
        for group in self.zip:
            groups.append([dict(zip(group, row, strict=True)) for row in zip(*group.values(), strict=True)])
        return groups

    def some(self, count: int) -> list[Trial]:
        """At most so many of the trials, spread over all combinations, without making the others."""
        groups, trials = self._groups, []
        for place in range(0, len(self), max(1, len(self) // count)):
            setting: dict[str, Any] = {}
            for group in reversed(groups):
                place, k = divmod(place, len(group))
                setting |= group[k]
            trials.append(self.base.replace(setting))
        return trials[:count]

    def variants(self) -> dict[str, list[Trial]]:
        """The trials by variant, seeds together: ``{"sigmoid, xavier": [seed 0, seed 1, ...]}``."""
        groups: dict[tuple[tuple[str, Any], ...], list[Trial]] = {}
        for trial in self.trials:
            variant = tuple((name, value) for name, value in self.setting(trial).items() if name != "seed")
            groups.setdefault(variant, []).append(trial)
        labelled: dict[str, list[Trial]] = {}
        alike: Counter[str] = Counter()  # numbers may be too near each other for the digits that a label shows
        for trials in groups.values():
            label = ", ".join(self.labels(trials[0]).values()) or "base"
            alike[label] += 1
            labelled[label if alike[label] == 1 else f"{label} #{alike[label]}"] = trials
        return labelled

    def labels(self, trial: Trial) -> dict[str, str]:
        """The values of the axes that made ``trial``, but for its seed, as a table names them."""
        named = self.setting(trial).items()
        return {name: _label(name, value, self._varied.get(name, {})) for name, value in named if name != "seed"}

    @cached_property
    def _varied(self) -> dict[str, dict[str, list[str]]]:
        """For each axis over a technique: which of the technique's numbers differ along it."""
        seen: dict[str, dict[str, list[Choice]]] = {}
        for trial in self.trials:
            for name, value in self.setting(trial).items():
                if isinstance(value, Choice):
                    seen.setdefault(name, {}).setdefault(value.name, []).append(value)
        return {
            name: {one: [n for n in same[0].numbers if len({c.numbers[n] for c in same}) > 1] for one, same in choices.items()}
            for name, choices in seen.items()
        }

    def setting(self, trial: Trial) -> dict[str, Any]:
        """The values of the axes that made ``trial``."""
        return {name: getattr(trial, name, value) for name, value in self._settings[trial].items()}

    def changed(self, **parts: Any) -> Study:
        """This study with other parts: ``name``, ``base``, ``axes``, ``zip`` or ``stop``; what is not named stays."""
        return Study(**{name: getattr(self, name) for name in Study.model_fields} | parts)

    def with_base(self, **changes: Any) -> Study:
        """This study with fields of its base changed; axes over those fields, or over parts of them, are dropped."""

        def stays(axis: str) -> bool:
            return not any(f"{axis}.".startswith(f"{name}.") or f"{name}.".startswith(f"{axis}.") for name in changes)

        axes = {name: values for name, values in self.axes.items() if stays(name)}
        zips = tuple(g for g in ({n: v for n, v in group.items() if stays(n)} for group in self.zip) if g)
        return self.changed(base=self.base.replace(changes), axes=axes, zip=zips)

    def with_seeds(self, count: int) -> Study:
        """This study over seeds 0 to ``count - 1``."""
        return self.changed(axes={**self.axes, "seed": count})

    @cached_property
    def id(self) -> str:
        """A hash of the trials, in order."""
        return study_id(trial.id for trial in self.trials)

    def to_toml(self) -> str:
        """The study as a TOML file."""
        import tomli_w

        table: dict[str, Any] = {"name": self.name}
        if self.stop != "none":
            table["stop"] = self.stop
        table["base"] = self.base.compact()
        if self.axes:
            table["axes"] = {name: _plain_axis(name, values) for name, values in self.axes.items()}
        if self.zip:
            table["zip"] = [{name: _plain_axis(name, values) for name, values in g.items()} for g in self.zip]
        return tomli_w.dumps(table)

    @classmethod
    def from_toml(cls, text: str, source: str = "TOML") -> Study:
        """A study from the text of a TOML file; ``source`` names it in errors."""
        import tomllib

        try:
            table = tomllib.loads(text)
        # beside TOMLDecodeError: integers of thousands of digits, brackets ever deeper
        except (ValueError, RecursionError) as error:
            raise UserError(f"{source} is not valid TOML: {error}.", f"{source} はTOMLとして読めません: {error}。") from None
        try:
            return cls(**table)
        except UserError as error:
            raise UserError(f"{source}: {error.words.en}", f"{source}: {error.words.ja}") from None


def together(base: Trial, trials: Sequence[Trial], seeds: Sequence[int], name: str) -> Study:
    """Trials, each with every seed, as one study: one axis a field in which any differs from ``base``, all moving together."""
    fields = [
        field
        for field in Trial.model_fields
        if field != "seed" and any(getattr(t, field) != getattr(base, field) for t in trials)
    ]
    rows = {field: [getattr(trial, field) for trial in trials] for field in fields}
    return Study(base, name=name, axes={"seed": list(seeds)}, zip=[rows] if rows else [])


def study_id(trials: Iterable[str]) -> str:
    """The id of a study of trials with these ids, in this order."""
    return hashlib.sha256("".join(trials).encode()).hexdigest()[:20]


def _table(name: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise UserError(f"{name} must be a table, not {brief(given)}.", f"{name} は表にしてください: {brief(given)}")
    return given


def _values(name: str, given: Any) -> tuple[Any, ...]:
    """The values of an axis; for ``seed`` a number is that many seeds."""
    if name == "seed" and is_number(given) and isinstance(given, Integral):
        if not 1 <= int(given) <= LARGEST:
            raise UserError(
                f"The number of seeds must be from 1 to {LARGEST:,}, not {brief(given)}.",
                f"シードの数は1から {LARGEST:,} までにしてください: {brief(given)}",
            )
        given = range(int(given))
    if isinstance(given, Mapping) and given:  # optimizer.momentum = [...] without quotes is a table in TOML
        part = f'"{name}.{next(iter(given))}"'
        raise UserError(
            f"The axis {name!r} must be a list of values; the axis of a part of it stands in quotes: {part} = [...].",
            f"軸 {name!r} は値のリストにしてください。その一部のハイパーパラメータを軸にするときは引用符で囲みます: {part} = [...]",
        )
    if isinstance(given, str | bytes | Mapping | set | frozenset) or not isinstance(given, Iterable):
        raise UserError(
            f"The axis {name!r} must be a list of values, not {brief(given)}.",
            f"軸 {name!r} は値のリストにしてください: {brief(given)}",
        )
    values = tuple(value.tolist() if hasattr(value, "tolist") else value for value in given)  # numpy's numbers as Python's
    if not values:
        raise UserError(f"The axis {name!r} has no values.", f"軸 {name!r} に値がありません。")
    if None in values:
        raise UserError(f"None is no value for the axis {name!r}.", f"None は軸 {name!r} の値になりません。")
    return values


def _plain_axis(name: str, values: tuple[Any, ...]) -> Any:
    if name == "seed" and values == tuple(range(len(values))):
        return len(values)
    return [plain(value) for value in values]


def _label(name: str, value: Any, varied: Mapping[str, Collection[str]]) -> str:
    """How a value is named in a table: techniques and data by themselves, numbers with their field.

    ``varied`` are the numbers of each technique that differ along the axis: they are named even where they are usual.
    """
    if isinstance(value, Choice):
        form = value.compact()
        odd = {} if isinstance(form, str) else {key: number for key, number in form.items() if key != "name"}
        odd |= {key: value.numbers[key] for key in varied.get(value.name, ())}
        return f"{value.name}({', '.join(f'{key}={number:.3g}' for key, number in odd.items())})" if odd else value.name
    if isinstance(value, Data):
        return str(value)
    field = name.rpartition(".")[2]
    if field == "augment":
        return f"augment={'+'.join(map(str, value)) or 'none'}"
    if isinstance(value, tuple | list):
        return f"{field}={title(tuple(value))}"
    return f"{field}={value:.3g}" if isinstance(value, float) else f"{field}={value}"
