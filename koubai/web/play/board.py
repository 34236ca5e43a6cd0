"""What is on the screen of Play: a base trial, up to a dozen variants of it, seeds. It lives in the page's address, and nowhere else.

>>> Board.read("data=moons&layers=8,8&1.activation=tanh").address()
'data=moons&layers=8,8&1.activation=tanh'
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from koubai import blueprint
from koubai.language import UserError, Words, unknown
from koubai.mistakes import sentence
from koubai.spec import Trial, plain
from koubai.study import Study, together

MOST_VARIANTS = 12  # the base among them
MOST_SEEDS = 10
LONGEST = 6000  # letters of an address
LISTS = ("layers", "layer_rates")  # written with commas

Changes = Mapping[str, Any]


class Board(BaseModel):
    """A base trial, the changes that make each further variant of it, and how many seeds each is trained on.

    ``changes`` map whole fields of a trial to other values. Raises ``UserError``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Trial = Trial()
    changes: tuple[dict[str, Any], ...] = ()
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)] = 3
    name: Annotated[str, Field(min_length=1, max_length=60)] = "play"

    def __init__(self, /, base: Trial | None = None, changes: Sequence[Changes] = (), **fields: Any) -> None:
        """Validate. Variants that come out alike are there once; the base's own seed and dtype are the usual ones."""
        base = (base or Trial()).replace({"seed": 0})
        if len(changes) >= MOST_VARIANTS:
            raise UserError(
                f"There is room for {MOST_VARIANTS} variants side by side; remove one first.",
                f"並べられる設定は {MOST_VARIANTS} 通りまでです。先に1つ外してください。",
            )
        others = dict.fromkeys(base.replace({**change, "seed": 0}) for change in changes)
        others.pop(base, None)
        kept = tuple(apart(base, other) for other in others)
        try:
            super().__init__(base=base, changes=kept, **fields)
        except ValidationError as error:
            raise sentence(error, Board) from None

    @classmethod
    def of(cls, study: Study) -> Board:
        """The board that shows a study: its first variant is the base. Raises ``UserError`` where there are too many."""
        base, *others = [trials[0].replace({"seed": 0}) for trials in study.variants().values()]
        seeds = len({trial.seed for trial in study.trials})
        return cls(base, [apart(base, other) for other in others], seeds=min(seeds, MOST_SEEDS), name=study.name)

    @cached_property
    def variants(self) -> tuple[Trial, ...]:
        """A trial of each variant, the base first, all of seed 0."""
        return (self.base, *(self.base.replace(change) for change in self.changes))

    @cached_property
    def study(self) -> Study:
        """The board as a study: the fields in which variants differ move together, beside the seeds."""
        return together(self.base, self.variants, range(self.seeds), self.name)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What each variant is called: by the one field in which all differ, or else by what it changes, the base as ``"base"``."""
        if len(self.study.zip) == 0 or len(self.study.zip[0]) == 1:
            return tuple(self.study.variants())
        named = [self.study.labels(trials[0]) for trials in self.study.variants().values()]
        return (
            "base",
            *(", ".join(label[field] for field in change) for label, change in zip(named[1:], self.changes, strict=True)),
        )

    def edited(self, changes: Changes, variant: int = 0) -> Board:
        """The board with fields of one variant changed; what is changed in the base holds for all that do not change it themselves."""
        if variant == 0:
            return self._with(base=self.base.replace(changes))
        trial = self.variants[variant].replace(changes)
        rest = list(self.changes)
        rest[variant - 1] = apart(self.base, trial)
        return self._with(changes=rest)

    def added(self, change: Changes) -> Board:
        """The board with one more variant. Raises ``UserError`` where it is there already, or there is no room."""
        made = self._with(changes=[*self.changes, change])
        if len(made.changes) == len(self.changes):
            raise UserError("This variant is already there.", "その設定はすでに並んでいます。")
        return made

    def with_seeds(self, count: int) -> Board:
        """The board with so many seeds of each variant."""
        return self._with(seeds=count)

    def without(self, variant: int) -> Board:
        """The board without one variant; without the base, the next one is the base."""
        if variant:
            return self._with(changes=[change for k, change in enumerate(self.changes, 1) if k != variant])
        base, *others = self.variants[1:]
        return self._with(base=base, changes=[apart(base, other) for other in others])

    def _with(self, **fields: Any) -> Board:
        return Board(**{"base": self.base, "changes": self.changes, "seeds": self.seeds, "name": self.name, **fields})

    def address(self) -> str:
        """The board as the query of an address: what is not at its default, a variant's changes behind its number."""
        own = {name: getattr(self, name) for name in ("name", "seeds")}
        rows = [(name, value) for name, value in own.items() if value != Board.model_fields[name].default]
        rows += written(self.base.compact())
        for k, change in enumerate(self.changes, 1):
            rows += [(f"{k}.{path}", value) for path, value in written(change)]
        return "&".join(f"{path}={quote(str(value), safe=',:/ ').replace(' ', '+')}" for path, value in rows)

    def link(self) -> str:
        """The address of Play with the board on it."""
        return "/play" + (f"?{query}" if (query := self.address()) else "")

    @classmethod
    def read(cls, query: str) -> Board:
        """The board of an address's query. Raises ``UserError`` with one sentence for what is none."""
        if len(query) > LONGEST:
            raise UserError(
                f"The link is longer than {LONGEST:,} characters, so it is not one of this page's.",
                f"リンクが {LONGEST:,} 文字を超えています。このページのリンクではありません。",
            )
        known = ["seeds", *(name for name in Trial.model_fields if name != "seed")]
        own: dict[str, Any] = {}
        variants: dict[int, dict[str, Any]] = {0: {}}
        for path, text in parse_qsl(query, keep_blank_values=True, errors="replace"):
            number, rest = numbered.groups() if (numbered := re.fullmatch(r"([1-9]\d?)\.(.+)", path)) else (0, path)
            if path in ("name", "seeds"):
                own[path] = text if path == "name" else value(path, text)
            elif rest == "seed":
                raise unknown(Words("part of a link", "リンクの項目"), path, known)
            else:
                variants.setdefault(int(number), {})[rest] = value(rest, text)
        return cls(Trial().replace(variants.pop(0)), [variants[k] for k in sorted(variants)], **own)

    def python(self) -> str:
        """The board as a program."""
        axes: dict[str, Any] = {"axes": {"seed": self.seeds}}
        if self.changes:
            axes["zip"] = {name: [plain(value) for value in values] for name, values in self.study.zip[0].items()}
        given = ({"name": self.name} | axes).items()
        return "\n".join(
            [
                "import koubai as kb",
                "",
                f"base = kb.Trial({', '.join(f'{name}={value!r}' for name, value in self.base.compact().items())})",
                f"study = kb.Study(base, {', '.join(f'{name}={value!r}' for name, value in given)})",
                "result = kb.run(study)",
                "print(result)",
                'result.report("report.html")',
                "",
            ]
        )


def apart(base: Trial, other: Trial) -> dict[str, Any]:
    """The fields in which a trial differs from another, with its values as a person would write them."""
    return {name: plain(getattr(other, name)) for name in Trial.model_fields if getattr(other, name) != getattr(base, name)}


def written(fields: Changes) -> list[tuple[str, str]]:
    """Fields as an address has them, by path: techniques and data by name, what is unusual of them behind a dot."""
    tables = {field: given if isinstance(given, Mapping) else {"name": given} for field, given in fields.items()}
    return [
        (path := field if part == "name" else f"{field}.{part}", text(path, given))
        for field, table in tables.items()
        for part, given in table.items()
    ]


def text(path: str, given: Any) -> str:
    """A value as an address has it: lists of layers and rates with commas, others as JSON."""
    if isinstance(given, list | tuple):
        return ",".join(map(str, given)) if path in LISTS else json.dumps(given)
    return str(given).lower() if isinstance(given, bool) else str(given)


def value(path: str, text: str) -> Any:
    """What a text in an address means at a path."""
    if path == "layers" and text in blueprint.PRESETS:
        return text
    if path in LISTS:
        return [value("", part) for part in text.split(",")] if text else []
    if path in ("data", "data.target"):  # names, even where they look like numbers
        return text
    if text.startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text) if re.fullmatch(r"[+-]?\d{1,30}", text, re.ASCII) else float(text)
    except ValueError:
        return text
