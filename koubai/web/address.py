"""A study in an address, so that a link shows what is on a screen: ``/play?study={...}``, as short as a person would write it.

>>> from koubai.store import Store
>>> from koubai.study import Study
>>> play(Study({"activation": "relu"}, axes={"learning_rate": [0.1, 1.0]}))[:44]
'/play?study=%7B%22axes%22%3A%7B%22learning_r'
>>> study_in('{"axes": {"learning_rate": [0.1, 1.0]}}', Store("koubai-out/store")).axes
{'learning_rate': (0.1, 1.0)}
"""

from __future__ import annotations

import json
import tomllib
from urllib.parse import urlencode

from koubai.language import UserError
from koubai.store import Store
from koubai.study import Study
from koubai.web.uploads import permitted

MOST = 256  # networks in an address


def play(study: Study) -> str:
    """The address of Play with a study on it."""
    table = {name: value for name, value in tomllib.loads(study.to_toml()).items() if value and name != "name"}
    return "/play?" + urlencode({"study": json.dumps(table, ensure_ascii=False, separators=(",", ":"))})


def study_in(text: str, store: Store) -> Study:
    """The study of such an address. Raises ``UserError`` for what is none, is beyond bounds, or names data that are not a visitor's."""
    try:
        table = json.loads(text)
        if not isinstance(table, dict) or any(not isinstance(name, str) for name in table):
            raise ValueError("not a table")
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"The address holds no study that can be read ({error}); open Play without it.",
            f"アドレスに含まれる実験を読めません({error})。パラメータなしで開いてください。",
        ) from None
    study = Study(**table)
    if len(study) > MOST:
        raise UserError(
            f"The address holds {len(study):,} networks; a page trains at most {MOST}.",
            f"アドレスの実験は {len(study):,} 個のネットワークになります。ページで学習できるのは {MOST} 個までです。",
        )
    permitted(store, {trial.data.name for trial in study.trials})
    return study
