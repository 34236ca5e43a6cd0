"""The command line: it parses, calls and prints. What is heavy is imported inside the commands, so that help and lists are quick.

Texts are said when this package is imported: ``koubai.__main__`` chooses the language before that. A command is a function in one of
the modules below; being imported here is what puts it into the help, in this order.
"""

from koubai.cli import data, describe, doctor, leave, look, prescribe, serve, store, train  # noqa: F401 (their commands)
from koubai.cli.base import app

# isort: split
from koubai.cli import learn  # noqa: F401 (its commands stand last)

__all__ = ["app"]
