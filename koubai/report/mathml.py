r"""The formulas of techniques as a page shows them: the small part of LaTeX that they use, in MathML, which browsers set themselves.

>>> math(r"\frac{g}{\sqrt{h_t}}").split("<mrow>", 1)[1]
'<mfrac><mi>g</mi><msqrt><msub><mi>h</mi><mi>t</mi></msub></msqrt></mfrac></mrow></math>'
"""

from __future__ import annotations

import re
from html import escape

from koubai.report.typeset import ACCENTS, BARE, SIGNS, TOKEN, plain

SPACES = {",": 0.17, ";": 0.28, " ": 0.28, "quad": 1.0, "qquad": 2.0}  # em
NAMES = ("tanh", "cos", "sin", "log", "exp", "max", "min")
UNDER = ("sum", "prod", "max", "min")  # an index stands below, not beside
ROMAN = ("text", "mathrm", "operatorname")
SIZED = ("left", "right", "big", "Big", "bigg", "Bigg")
FENCES = "()[]|‖⌊⌋⌈⌉"

Tokens = list[tuple[str, str, str, str]]


def math(formula: str) -> str:
    """A formula in LaTeX as a ``<math>`` element, its text read out by ``alttext``. What is not known keeps its name."""
    tokens: Tokens = [*reversed(TOKEN.findall(formula))]
    row = ""
    while tokens:  # a brace too many closes nothing
        row += _row(tokens)
    return f'<math displaystyle="true" alttext="{escape(plain(formula))}"><mrow>{row}</mrow></math>'


def parts(formula: str) -> list[str]:
    r"""A formula taken apart where it goes on after a comma and a ``\quad``, so that a narrow page may break it there."""
    return [part for part in re.split(r"(?<=,)\s*\\quad\s*", formula) if part.strip()]


def _row(tokens: Tokens) -> str:
    """Everything up to the end, or to the brace that closes."""
    made: list[str] = []
    below = False  # whether an index of the last part stands below it
    while tokens:
        command, sign, _, letter = tokens.pop()
        if sign == "}":
            break
        if sign in ("^", "_"):
            base = made.pop() if made else "<mrow></mrow>"
            made.append(_scripted(base, sign, tokens, below))
            continue
        below = command in UNDER
        if sign == "{":
            made.append(f"<mrow>{_row(tokens)}</mrow>")
        elif command:
            made.append(_command(command, tokens))
        elif letter:
            made.append(_letter(letter, tokens))
    return "".join(made)


def _scripted(base: str, sign: str, tokens: Tokens, below: bool) -> str:
    """A part with what stands above and below it, in whichever order they are written."""
    scripts = {sign: _argument(tokens)}
    if tokens and tokens[-1][1] in ("^", "_") and tokens[-1][1] not in scripts:
        other = tokens.pop()[1]
        scripts[other] = _argument(tokens)
    low, high = ("munder", "mover") if below else ("msub", "msup")
    if len(scripts) == 1:
        name = low if sign == "_" else high
        return f"<{name}>{base}{scripts[sign]}</{name}>"
    name = "munderover" if below else "msubsup"
    return f"<{name}>{base}{scripts['_']}{scripts['^']}</{name}>"


def _argument(tokens: Tokens) -> str:
    """What a command applies to, as one element: a group in braces, a command with its own, or one letter."""
    while tokens:
        command, sign, space, letter = tokens.pop()
        if space:
            continue
        if sign == "{":
            row = _row(tokens)
            return row if len(re.findall(r"<(?!/)", row)) == 1 else f"<mrow>{row}</mrow>"
        if command:
            return _command(command, tokens)
        if letter:
            return f"<mn>{letter}</mn>" if letter.isdigit() else _letter(letter, tokens)
        break
    return "<mrow></mrow>"


def _command(command: str, tokens: Tokens) -> str:
    if command in ("frac", "tfrac", "dfrac"):
        return f"<mfrac>{_argument(tokens)}{_argument(tokens)}</mfrac>"
    if command == "sqrt":
        return f"<msqrt>{_argument(tokens)}</msqrt>"
    if command in ACCENTS:
        over = {"hat": "^", "bar": "¯", "tilde": "~", "dot": "˙"}[command]
        return f'<mover accent="true">{_argument(tokens)}<mo stretchy="false">{over}</mo></mover>'
    if command in ROMAN:
        return f"<mtext>{escape(_raw(tokens))}</mtext>"
    if command in SPACES:
        return f'<mspace width="{SPACES[command]}em"></mspace>'
    if command in SIZED and tokens:  # what follows grows with what it stands around
        command, _, _, letter = tokens.pop()
        return f"<mo>{escape(SIGNS.get(command, command) or letter)}</mo>"
    if command in BARE:
        return ""
    if command in NAMES:
        return f'<mi>{command}</mi><mspace width="0.17em"></mspace>' if command not in UNDER else f"<mo>{command}</mo>"
    sign = escape(SIGNS.get(command, command))
    if sign.isalpha() and command not in UNDER:
        return f"<mi>{sign}</mi>"
    return _operator("∑" if command == "sum" else sign)


def _operator(sign: str) -> str:
    return f'<mo stretchy="false">{sign}</mo>' if sign in FENCES else f"<mo>{sign}</mo>"


def _raw(tokens: Tokens) -> str:
    """The letters of a group in braces, as they are, spaces that stay at its ends."""
    text = ""
    if tokens and tokens[-1][1] == "{":
        tokens.pop()
        while tokens and tokens[-1][1] != "}":
            command, sign, space, letter = tokens.pop()
            text += command or sign or space or letter
        if tokens:
            tokens.pop()
    return re.sub(r"^\s|\s$", "\u00a0", text)


def _letter(letter: str, tokens: Tokens) -> str:
    """One letter or sign, or a whole number."""
    if letter.isdigit():
        while tokens and (tokens[-1][3].isdigit() or (tokens[-1][3] == "." and len(tokens) > 1 and tokens[-2][3].isdigit())):
            letter += tokens.pop()[3]
        return f"<mn>{letter}</mn>"
    if letter.isalpha():
        return f"<mi>{letter}</mi>"
    return _operator("−" if letter == "-" else escape(letter))
