"""``python -m docs.generate``: writes the pages that the code itself can tell. ``tests/test_docs.py`` holds the pages to it."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from koubai.blueprint import title
from koubai.choices import KIND_WORDS
from koubai.doctor import SYMPTOMS
from koubai.doctor.finding import OURS, SEVERITIES, Symptom
from koubai.doctor.remedies import REMEDIES, Remedy
from koubai.experiments.catalogue import EXERCISES, Exercise, Race
from koubai.language import Language, speaking
from koubai.techniques import KINDS, Number, Technique
from koubai.written import WRITTEN

HERE = Path(__file__).parent
MADE = "<!-- Made by `make docs`; change the code, not this page. -->"

# shown though usual
ALWAYS = ("data", "layers", "activation", "initializer", "optimizer", "learning_rate", "batch_size", "steps")


def techniques() -> str:
    """The page of all techniques: formula, words in both languages, numbers, source."""
    parts = ["# Techniques / 手法", MADE]
    for kind, members in KINDS.items():
        title = f"## {KIND_WORDS[kind].en.capitalize()} / {KIND_WORDS[kind].ja}"
        parts += [title, f"```toml\n{WRITTEN[kind]}\n```", *(technique(member) for member in members.values())]
    return "\n\n".join(parts) + "\n"


def technique(member: Technique) -> str:
    """One technique."""
    lines = [f"- {number(name, one)}" for name, one in member.numbers.items()]
    source = f"<sub>{member.source}</sub>" if member.source else ""
    parts = (
        f"### `{member.name}`",
        f"```math\n{member.formula}\n```",
        member.about.en,
        member.about.ja,
        "\n".join(lines),
        source,
    )
    return "\n\n".join(part for part in parts if part)


def number(name: str, one: Number) -> str:
    """One number of a technique: its default, its interval and what it is."""
    default = one.default if isinstance(one.default, str) else f"{one.default:g}"
    return f"`{name}` = {default}, {one.interval}: {one.about.en} / {one.about.ja}"


def exercises() -> str:
    """The page of all exercises: words in both languages, and the set-up."""
    parts = ["# Exercises / 演習", MADE]
    for one in EXERCISES.values():
        parts += [f"## `{one.name}`: {one.title.en} / {one.title.ja}", one.about.en, one.about.ja, set_up(one)]
        parts += [f"```sh\nkoubai run {one.name}\n```"]
    return "\n\n".join(parts) + "\n"


def set_up(one: Exercise) -> str:
    """What an exercise runs, as a table."""
    if isinstance(one.runs, Race):
        race = one.runs
        rows = {"surface / 曲面": race.landscape, "steps / ステップ": race.steps, "starts / 出発点": race.starts}
        rows |= {f"`{name}`": f"learning rate / 学習率 {rate:g}" for name, (_, rate) in race.runs.items()}
    else:
        study, varied = one.runs, [name for group in (one.runs.axes, *one.runs.zip) for name in group]
        unusual = study.base.compact()
        rows = {f"`{name}`": shown(getattr(study.base, name)) for name in (*ALWAYS, *unusual) if name not in varied}
        rows |= {f"**`{name}`**": listed(values) for name, values in study.axes.items() if name != "seed"}
        rows |= {" + ".join(f"**`{name}`**" for name in group): listed(zipped(group)) for group in study.zip}
        rows |= {"seeds / シード": len(study.axes.get("seed", (0,))), "networks / ネットワーク": f"{len(study.trials):,}"}
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows.items())


def zipped(group: Mapping[str, tuple[Any, ...]]) -> list[str]:
    """The values of axes that move together."""
    return [" + ".join(map(shown, row)) for row in zip(*group.values(), strict=True)]


def listed(values: Sequence[Any]) -> str:
    """The values of an axis, the middle of a long one left out."""
    several = [shown(value) for value in values]
    return ", ".join(several if len(several) <= 16 else [*several[:3], "...", f"{several[-1]} ({len(several)})"])


def shown(value: Any) -> str:
    """A value as a reader wants it, rounded."""
    value = value.compact() if hasattr(value, "compact") else value
    if isinstance(value, Mapping):
        return f"{value['name']}({', '.join(f'{name}={shown(part)}' for name, part in value.items() if name != 'name')})"
    if isinstance(value, tuple | list):
        return title(tuple(value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def doctor() -> str:
    """The page of all symptoms: words in both languages, measure, thresholds with their sources."""
    severities = ", ".join(f"{words.en} / {words.ja}" for words in SEVERITIES.values())
    parts = [
        "# The doctor / 診断",
        MADE,
        "```sh\nkoubai diagnose RUN         # every variant, seeds together / 設定ごと(シードをまとめて)\n"
        "koubai diagnose RUN best    # one trial / 1つの試行\n```",
        f"A finding has a severity ({severities}), and, where they can be determined, a layer and a cause. `guessing` is the loss of one "
        "who knows the shares of the classes and nothing else; a fit is 0 where the training accuracy is that of always answering the "
        "largest class, and 1 where all is right. `Simpler methods` are nearest neighbours and kernel regression, on 300 training samples "
        "left out one by one: where they are right no more often than the network, by three standard errors, what is left may be noise, "
        "and a poor fit says nothing. What cannot be judged is reported as such. `ours` marks thresholds that were set on the first part "
        "of the data sets of `benchmarks/doctor.py`, and measured on the second.",
        "所見には重さがあり、わかる場合は層と原因も示します。「当て推量」は、クラスの比率だけを知っているときの損失です。「適合」は、"
        "常に最大のクラスと答える場合の訓練精度を0、全問正解を1とした値です。「より単純な手法」は最近傍法とカーネル回帰で、訓練サンプル300個を"
        "1個ずつ除いて予測させます。その正解率がネットワークを標準誤差の3倍以上は上回らないとき、残りは雑音かもしれず、適合が悪くても"
        "異常とは言えません。判断できない症状は、そのように報告します。"
        "`ours` は `benchmarks/doctor.py` の前半のデータで決め、後半のデータで確かめたしきい値です。",
        measured(),
        *(symptom(one) for one in SYMPTOMS.values()),
        "## Remedies / 対策",
        "```sh\nkoubai prescribe RUN best   # trains the remedies for what is wrong with a trial / 症状に対する対策を学習させて比べる\n```",
        *(remedy(one) for one in REMEDIES.values()),
    ]
    return "\n\n".join(parts) + "\n"


def remedy(one: Remedy) -> str:
    """A remedy: what it does, why that should help, the source, and what it is tried against."""
    treats = ", ".join(f"`{name}`" for name in one.treats)
    parts = (f"### `{one.name}`: {one.words.en} / {one.words.ja}", one.why.en, one.why.ja, f"Source / 出典: {one.source}")
    return "\n\n".join((*parts, f"Tried against / 対象の症状: {treats}"))


def measured() -> str:
    """How well the doctor did on the second part of the data sets, as the benchmark last wrote it."""
    path = HERE.parent / "benchmarks" / "doctor.json"
    if not path.exists():
        return "## Symptoms / 症状"
    held = json.loads(path.read_text(encoding="utf-8"))["held out"]

    def share(part: str, whole: str, row: Mapping[str, float]) -> str:
        return f"{row[part] / row[whole]:.1%} ({row[part]:.0f} / {row[whole]:.0f})" if row[whole] else ""

    heads = ("", "ill / 異常", "found / 検出", "right cause / 正しい原因", "right layer / 正しい層")
    pairs = (("detected", "ill"), ("right cause", "causes"), ("right layer", "layers"))
    rows = [heads, ["---"] * len(heads)]
    for name, row in held["figures"].items():
        if not row["ill"]:
            continue  # what only a watched training can have
        rows.append(
            [f"`{name}`" if name in SYMPTOMS else f"**{name} / 計**", str(row["ill"]), *(share(*pair, row) for pair in pairs)]
        )
    alarms = share("false alarms", "healthy", held["figures"]["all"])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    parts = (
        "## Measured / 測定結果",
        f"On data sets that had no part in setting the thresholds ({held['wards']}), by `python -m benchmarks.doctor`. False alarms in "
        f"healthy trainings: {alarms}. The aims are 99% found, 95% with the right cause and layer, 1% false alarms. Every miss is listed "
        "in `benchmarks/doctor.json`.",
        f"しきい値の決定に使っていないデータ({held['wards']})で `python -m benchmarks.doctor` が測った値です。"
        f"正常な学習での誤検出は {alarms} です。目標は検出99%、正しい原因と層95%、誤検出1%です。"
        "見逃しはすべて `benchmarks/doctor.json` にあります。",
        table,
        *repaired(),
        "## Symptoms / 症状",
    )
    return "\n\n".join(parts)


def repaired() -> list[str]:
    """What prescribing made of the ill trainings of that part, or of some of them, as the benchmark last wrote it."""
    path = HERE.parent / "benchmarks" / "repair.json"
    if not path.exists():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    patients, beyond = content["patients"], [one for one in content["patients"] if one["symptom"] == "shuffled-labels"]
    good, told = (sum(one[part] for one in some) for part, some in (("repaired", patients), ("told", beyond)))
    rest, wards = len(patients) - len(beyond), ", ".join(dict.fromkeys(one["ward"] for one in patients))
    mended = good - sum(one["repaired"] for one in beyond)
    return [
        f"Prescribed for {len(patients)} of these {content['of']} ill trainings (of {wards}; `python -m benchmarks.doctor --repair`): "
        f"{mended / rest:.1%} ({mended} / {rest}) are repaired, {content['points']:+.1f} points of accuracy on average, leaving out "
        f"{len(beyond)} with shuffled labels, which no change to a training repairs: {told} of them are told so. With them it is "
        f"{good / len(patients):.1%}. The aim is 98.5%.",
        f"この異常な学習 {content['of']} 件のうち {len(patients)} 件({wards})への処方(`python -m benchmarks.doctor --repair`): "
        f"修復できたのは {mended / rest:.1%}({mended} / {rest})、精度は平均 {content['points']:+.1f} ポイントです。"
        f"ラベルがでたらめな {len(beyond)} 件は、学習をどう変えても直らないので除いています"
        f"(そのうち {told} 件に、効く対策はないと正しく答えました)。"
        f"含めると {good / len(patients):.1%} です。目標は 98.5% です。",
    ]


def symptom(one: Symptom) -> str:
    """One symptom."""
    limits = [
        f"- `{name}` = {limit.value:g}: {'ours' if limit.source == OURS else limit.source}" for name, limit in one.limits.items()
    ]
    brings = ", ".join(f"`{name}`" for name in one.brings)
    parts = (
        f"### `{one.name}`: {one.title.en} / {one.title.ja}",
        one.about.en,
        one.about.ja,
        f"Measure: {one.measure.en}.",
        f"指標: {one.measure.ja}。",
        "\n".join(limits),
        f"Brings / 併発しやすい症状: {brings}" if brings else "",
    )
    return "\n\n".join(part for part in parts if part)


def commands() -> str:
    """The page of all commands: what each does and its options, in both languages."""
    english, japanese = tree("en"), tree("ja")
    parts = ["# Commands / コマンド", MADE, f"{english.help}\n\n{japanese.help}", options(english, japanese)]
    for name in english.commands:
        parts += command(name, english.commands[name], japanese.commands[name])
    return "\n\n".join(parts) + "\n"


def command(name: str, english: Any, japanese: Any) -> list[str]:
    """One command, or one that has others below it."""
    if hasattr(english, "commands"):
        parts = [f"## `koubai {name}`", english.help, japanese.help]
        for below in english.commands:
            parts += command(f"{name} {below}", english.commands[below], japanese.commands[below])
        return parts
    arguments = "".join(f" {one.metavar}" for one in english.params if one.param_type_name == "argument")
    return [f"## `koubai {name}{arguments}`", english.help, japanese.help, options(english, japanese)]


def options(english: Any, japanese: Any) -> str:
    """The options of a command, as a table."""
    rows = []
    for one, other in zip(english.params, japanese.params, strict=True):
        if one.param_type_name == "option":
            metavar = f" {one.metavar}" if one.metavar else ""
            default = f" ({one.default})" if one.default is not None and one.default is not False else ""
            name = f"{one.opts[0]}{metavar}".replace("|", "\\|")
            rows.append(f"| `{name}`{default} | {one.help} | {other.help} |")
    return "| | English | 日本語 |\n|---|---|---|\n" + "\n".join(rows)


def tree(choice: Language) -> Any:
    """The command line in a language: its texts are said at import."""
    kept = {name: sys.modules.pop(name) for name in [*sys.modules] if name.startswith("koubai.cli")}
    try:
        with speaking(choice):
            return typer.main.get_command(importlib.import_module("koubai.cli").app)
    finally:
        sys.modules.update(kept)


PAGES = {"techniques.md": techniques, "exercises.md": exercises, "doctor.md": doctor, "commands.md": commands}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8", newline="\n")
