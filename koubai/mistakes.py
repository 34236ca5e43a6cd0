"""What is wrong with what was given: what pydantic finds, as one sentence in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from koubai.language import UserError, Words, unknown

_SENTENCES = {
    "missing": Words("{field} is missing", "{field} がありません"),
    "greater_than": Words("{field} must be more than {gt}, not {input}", "{field} は {gt} より大きい値にしてください: {input}"),
    "greater_than_equal": Words("{field} must be at least {ge}, not {input}", "{field} は {ge} 以上にしてください: {input}"),
    "less_than": Words("{field} must be less than {lt}, not {input}", "{field} は {lt} より小さい値にしてください: {input}"),
    "less_than_equal": Words("{field} must be at most {le}, not {input}", "{field} は {le} 以下にしてください: {input}"),
    "finite_number": Words("{field} must be a finite number, not {input}", "{field} は有限の数にしてください: {input}"),
    "literal_error": Words("{field} must be {expected}, not {input}", "{field} は {expected} のどれかにしてください: {input}"),
    "too_long": Words("{field} is too long", "{field} が長すぎます"),
    "string_too_short": Words("{field} must not be empty", "{field} を空にはできません"),
}
_TYPES = {
    "int": Words("a whole number", "整数"),
    "float": Words("a number", "数"),
    "bool": Words("true or false", "真偽値"),
    "string": Words("a string", "文字列"),
    "tuple": Words("a list", "リスト"),
    "model": Words("a table", "表"),
    "dict": Words("a table", "表"),
}


def brief(value: Any) -> str:
    """A value as a sentence shows it: not longer than a line."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out integers of thousands of digits
        text = "..."
    return text if len(text) <= 60 else text[:57] + "..."


def custom(error: UserError) -> PydanticCustomError:
    """A ``UserError`` as pydantic wants it from a validator; ``sentence`` takes it out again."""
    return PydanticCustomError("koubai", "{en}", {"en": error.words.en, "ja": error.words.ja})


@contextmanager
def sentences() -> Iterator[None]:
    """A ``UserError`` raised inside a validator reaches ``sentence`` whole."""
    try:
        yield
    except UserError as error:
        raise custom(error) from None


def sentence(error: ValidationError, model: type[BaseModel]) -> UserError:
    """The first thing that pydantic found wrong with what was to be a ``model``, as one sentence in both languages."""
    first = error.errors(include_url=False)[0]
    context = first.get("ctx", {})
    path = [str(part) for part in first["loc"]]
    field = ".".join(path) or error.title
    if first["type"] == "koubai":
        return UserError(f"{field}: {context['en']}", f"{field}: {context['ja']}") if path else UserError(**context)
    if first["type"] == "extra_forbidden":
        owner, fields = ".".join(path[:-1]) or error.title, model.model_fields
        for part in path[:-1]:
            fields = getattr(fields[part].annotation, "model_fields", fields)
        return unknown(Words(f"field of {owner}", f"{owner} の項目"), path[-1], fields)
    words = _SENTENCES.get(first["type"])
    if words is None:
        kind = _TYPES.get(first["type"].split("_")[0], Words("another kind of value", "別の種類の値"))
        words = Words(f"{{field}} must be {kind.en}, not {{input}}", f"{{field}} は{kind.ja}にしてください: {{input}}")
    filled = [text.format(**{**context, "field": field, "input": brief(first["input"])}) for text in words]
    return UserError(filled[0] + ".", filled[1] + "。")
