"""A study in an address, so that a link shows what is on a screen: ``/play?study={...}``, as short as a person would write it.

>>> from koubai.study import Study
>>> play(Study({"activation": "relu"}, axes={"learning_rate": [0.1, 1.0]}))[:44]
'/play?study=%7B%22axes%22%3A%7B%22learning_r'
>>> study_in('{"axes": {"learning_rate": [0.1, 1.0]}}').axes
{'learning_rate': (0.1, 1.0)}
"""

from __future__ import annotations

import json
import tomllib
from urllib.parse import urlencode

from koubai.language import UserError
from koubai.study import Study


def play(study: Study) -> str:
    """The address of Play with a study on it."""
    table = {name: value for name, value in tomllib.loads(study.to_toml()).items() if value and name != "name"}
    return "/play?" + urlencode({"study": json.dumps(table, ensure_ascii=False, separators=(",", ":"))})


def study_in(text: str) -> Study:
    """The study of such an address. Raises ``UserError`` for what is none."""
    try:
        table = json.loads(text)
        if not isinstance(table, dict) or any(not isinstance(name, str) for name in table):
            raise ValueError("not a table")
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"The address holds no study that can be read ({error}); open Play without it.",
            f"アドレスに含まれる実験を読めません({error})。パラメータなしで開いてください。",
        ) from None
    return Study(**table)
