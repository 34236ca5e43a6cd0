"""The calls of PyTorch that a walk through a network is made of, noted once and made again at every step, without the Python between them.

A step of small networks is some twenty calls of a few microseconds each. Between them layers are looked up and views are taken, all of it
under Python's lock, for which the threads that train beside it wait (docs/performance.md has the figures).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Size, Tensor
from torch.overrides import TorchFunctionMode

Call = Callable[[], Any]


class Tape(TorchFunctionMode):
    """Inside a ``with``, the ``calls`` that write where they are told to; ``repeats`` says whether they are all there is to it.

    They are where nothing tells Python a value, and nothing is computed into new memory, where a later call would not look for it. Views
    compute nothing, and are left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.repeats = True

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Make a call, and note it."""
        kwargs = kwargs or {}
        made = function(*args, **kwargs)
        given = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
        if isinstance(made, Tensor) and any(made is x for x in given):
            self.calls.append(partial(function, *args, **kwargs))
        elif not isinstance(made, Size):
            self.repeats = self.repeats and isinstance(made, Tensor) and any(within(made, x) for x in given)
        return made


def within(view: Tensor, x: Tensor) -> bool:
    """Whether one tensor lies in the other's memory."""
    return view.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()


class Noted:
    """A function whose calls are noted when it is called first; from then on they are made in its place, if they do the same.

    The function is handed over at each call: whoever has it as a method would otherwise hold himself.
    """

    def __init__(self) -> None:
        self.calls: list[Call] | None = None

    def __call__(self, function: Callable[[], None]) -> None:
        """Do what ``function()`` does."""
        if self.calls is None:
            with Tape() as tape:
                function()
            self.calls = tape.calls if tape.repeats else []
        elif self.calls:
            for call in self.calls:
                call()
        else:
            function()
