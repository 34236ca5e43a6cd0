r"""The formulas of techniques as a terminal can show them: the small part of LaTeX that they use, in plain Unicode.

>>> plain(r"w \leftarrow w - \varepsilon \frac{g}{\sqrt{h_t} + \theta}")
'w ← w - ε g / (√h_t + θ)'
"""

from __future__ import annotations

import re
from collections.abc import Iterator

WIDE = "\u2003"  # a space that stays
SIGNS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "lambda": "λ", "mu": "μ", "sigma": "σ", "theta": "θ", "pi": "π", "epsilon": "ϵ",
    "varepsilon": "ε", "phi": "φ", "varphi": "φ", "Phi": "Φ", "delta": "δ", "Delta": "Δ", "eta": "η", "rho": "ρ", "tau": "τ",
    "sum": "Σ", "prod": "Π", "infty": "∞", "partial": "∂", "nabla": "∇", "leftarrow": "←", "to": "→", "le": "≤", "ge": "≥",
    "leq": "≤", "geq": "≥", "ne": "≠", "sim": "~", "cdot": "·", "times": "×", "pm": "±", "in": "∈", "approx": "≈", "odot": "⊙",
    "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "|": "‖", "top": "⊤", "quad": WIDE, "qquad": WIDE * 2, ",": " ", ";": " ",
    "!": "", " ": " ", "{": "{", "}": "}", "%": "%", "ldots": "…", "dots": "…", "mid": "|",
}  # fmt: skip
# say nothing
BARE = {"left", "right", "big", "Big", "bigg", "Bigg", "mathcal", "mathrm", "mathbf", "text", "operatorname", "displaystyle"}
ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "dot": "\u0307"}
ABOVE = dict(zip("0123456789+-()=nTi⊤", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾⁼ⁿᵀⁱᵀ", strict=True)) | {"p": "ᵖ", "t": "ᵗ", "k": "ᵏ", "x": "ˣ"}
BELOW = dict(zip("0123456789+-()=aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎₌ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
HALVES = {("1", "2"): "½", ("1", "4"): "¼", ("1", "3"): "⅓"}
TOKEN = re.compile(r"\\([A-Za-z]+|.)|([{}^_])|(\s+)|(.)")


def plain(formula: str) -> str:
    """A formula in LaTeX on one line of plain Unicode. What is not known keeps its name, without the backslash."""
    text = _read(iter(TOKEN.findall(formula)), closing=False)
    return re.sub(f" *{WIDE}+ *", "  ", re.sub(" +", " ", text)).strip()


Tokens = Iterator[tuple[str, str, str, str]]


def _read(tokens: Tokens, closing: bool) -> str:
    """Everything up to the end, or with ``closing`` to the brace that closes."""
    made = ""
    for command, sign, space, letter in tokens:
        if sign == "}" and closing:
            break
        if sign and sign in "^_":
            made = made.rstrip() + _raised(_argument(tokens), ABOVE if sign == "^" else BELOW, sign)
        elif command in ("frac", "tfrac", "dfrac"):
            fraction = _fraction(_argument(tokens), _argument(tokens))
            made += f"({fraction})" if re.search(r"[A-Za-z]{2} *$", made) else fraction  # cos(a / b), not cos a / b
        elif command == "sqrt":
            made += "√" + _atom(_argument(tokens))
        elif command in ACCENTS:
            under = _argument(tokens)
            made += under[:1] + ACCENTS[command] + under[1:]
        elif command:
            if command in ("sum", "prod") and made[-1:].strip(" ("):
                made += " "
            made += SIGNS.get(command, "" if command in BARE else command)
        elif sign == "{":
            made += _read(tokens, closing=True)
        else:
            made += " " if space else letter
    return made


def _argument(tokens: Tokens) -> str:
    """What a command applies to: a group in braces, a command, or one letter."""
    for command, sign, space, letter in tokens:
        if space:
            continue
        if sign == "{":
            return _read(tokens, closing=True).strip()
        if command in BARE:
            return _argument(tokens)
        return SIGNS.get(command, command) or letter
    return ""


def _raised(text: str, letters: dict[str, str], sign: str) -> str:
    """A power or an index in raised or lowered letters, where there are some for all of it."""
    if text and all(letter in letters for letter in text.replace(" ", "")):
        return "".join(letters[letter] for letter in text if letter != " ")
    return sign + (text if len(text) == 1 or text.isalnum() else f"({text})")


def _fraction(over: str, under: str) -> str:
    if _atom(over) == over and _atom(under) == under:
        return HALVES.get((over, under)) or f"{over}/{under}"
    return f"{_atom(over)} / {_atom(under)}"


def _atom(text: str) -> str:
    """In brackets, unless it is one thing."""
    return text if re.fullmatch(r"√?([^\s+\-/·]+|\([^()]*\))", text) else f"({text})"
