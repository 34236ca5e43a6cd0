"""Studies and trials by the names that ``koubai runs`` shows, and those names as files have them."""

from __future__ import annotations

import re

from koubai.language import UserError, Words, unknown
from koubai.result import Best, Result
from koubai.spec import Trial
from koubai.store import Store
from koubai.study import Study

SHOWN = 8  # letters of an id in a table
LONGEST = 120  # bytes of a study's name in a file's: file systems take 255, with what a file in the making has beside its name


def file_name(name: str) -> str:
    """A study's name as that of a file, whatever it is called and however long it is."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "study"
    if re.match(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", plain, re.IGNORECASE):  # devices on Windows, whatever their ending
        plain = f"study-{plain}"
    return plain.encode()[:LONGEST].decode(errors="ignore")


def study_named(store: Store, name: str) -> Study:
    """The newest study of this name, or the one whose id begins so. Raises ``UserError``."""
    known = store.studies()
    if not known:
        folder = store.folder.parent
        raise UserError(
            f"Nothing has been run in {folder} yet; try: koubai run", f"{folder} にはまだ何もありません。まず: koubai run"
        )
    found = [one for one in known if one["name"] == name][:1] or [one for one in known if name and one["id"].startswith(name)]
    if not found:
        raise unknown(Words("stored study", "保存済みの実験"), name, dict.fromkeys(one["name"] for one in known))
    if len(found) > 1:
        raise _several(name, [one["id"] for one in found])
    return Study.from_toml(found[0]["toml"], found[0]["name"])


def result_named(store: Store, name: str) -> Result:
    """What the study of this name has given so far; see ``study_named``."""
    study = study_named(store, name)
    return Result(study, tuple(store.get(study.trials)))


def trial_named(result: Result, name: str) -> Best:
    """``"best"``, a trial by its number in ``koubai runs NAME``, or the one whose id begins so. Raises ``UserError``.

    A whole number up to the number of trials is a number, and else the beginning of an id.
    """
    study = result.study
    stored = {record.trial: record for record in result.records}
    if name == "best":
        if all(record.diverged for record in result.records):
            raise UserError(
                f"No trial of {study.name} has finished without diverging; koubai runs {study.name} lists them.",
                f"{study.name} には発散せずに終わった試行がありません。koubai runs {study.name} で一覧できます。",
            )
        return result.best()
    trial = _chosen(study, name)
    if trial not in stored:
        raise UserError(
            f"Trial {trial.id[:SHOWN]} of {study.name} is not stored yet; run the study to its end.",
            f"{study.name} の試行 {trial.id[:SHOWN]} はまだ保存されていません。実験を最後まで実行してください。",
        )
    return Best(stored[trial])


def _chosen(study: Study, name: str) -> Trial:
    if name.isdecimal() and len(name) < 10 and 1 <= int(name) <= len(study.trials):
        return study.trials[int(name) - 1]
    found = [trial for trial in study.trials if name and trial.id.startswith(name)]
    if len(found) > 1:
        raise _several(name, [trial.id for trial in found])
    if not found:
        raise UserError(
            f"{study.name} has no trial {name!r}; it takes best, a number from 1 to {len(study.trials)} or the beginning of an id, as "
            f"koubai runs {study.name} lists them.",
            f"{study.name} に試行 {name!r} はありません。best、1〜{len(study.trials)} の番号、または id の先頭を指定してください"
            f"(一覧は koubai runs {study.name})。",
        )
    return found[0]


def _several(name: str, ids: list[str]) -> UserError:
    listed = ", ".join(id[: max(SHOWN, len(name) + 2)] for id in ids[:5]) + (", ..." if len(ids) > 5 else "")
    return UserError(
        f"{name!r} begins several ids: {listed}; write more of it.",
        f"{name!r} で始まる id が複数あります: {listed}。続きも書いてください。",
    )
