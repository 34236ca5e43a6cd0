"""A training step as a program: the operations of PyTorch that it is made of, noted once, and run for many steps without Python.

A step of small networks is some thirty operations of a few microseconds each. Made from Python they take its lock thirty times, for which
the threads that train beside them wait; TorchScript's interpreter makes them all without it (docs/performance.md has the figures). Where
PyTorch has none, or a step is not the same operations every time, Python makes the steps.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from threading import Lock
from typing import Any

import torch
from torch import Generator, Tensor, jit
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

aten = torch.ops.aten
# operations after which a noted name may be of another shape or memory
CHANGING = {torch.Tag.dynamic_output_shape, torch.Tag.inplace_view}

Function = Callable[..., None]
Run = Callable[[list[Tensor]], None]

_alone = Lock()  # PyTorch keeps in one place for all threads whether there is such a mode


class Notes(TorchDispatchMode):
    """Inside a ``with``, the operations that PyTorch makes, as ``lines`` of TorchScript.

    ``inputs`` are the tensors, by name, that are others at each step. What is made of them, and what is new, the lines make anew at each
    step. All else stays: ``tensors``, ``lists`` of them, ``generators``. ``repeats`` says whether the lines do at every step what was
    done: nothing told Python a value that another step may change.
    """

    def __init__(self, inputs: Mapping[str, Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # of what is another at each step, as long as it lives
        self.names: Any = WeakIdKeyDictionary({tensor: name for name, tensor in inputs.items()})
        self.tensors: list[Tensor] = []
        self.lists: list[list[Tensor]] = []
        self.generators: list[Generator] = []
        self.lines: list[str] = []
        self.told: list[Tensor] = []
        self.written: set[int] = set()
        self.plain = True

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first operation imports PyTorch's compiler, for most of a second

    @property
    def repeats(self) -> bool:
        """Whether the lines do at every step what was done."""
        return self.plain and not any(x in self.names or memory(x) in self.written for x in self.told)

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Make an operation, and note it."""
        kwargs = kwargs or {}
        made = operation(*args, **kwargs)
        if operation is aten._local_scalar_dense.default:
            self.told += args
        elif operation is aten.set_.source_Tensor:  # one tensor has become another
            self.names[args[0]] = self._word(args[1])
        elif not kind_of(operation).views or any(x in self.names for x in tensors_in((*args, *kwargs.values()))):
            self._note(operation, args, kwargs, made)
        return made

    def _note(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any], made: Any) -> None:
        """Write the line of an operation, and name what it made."""
        kind = kind_of(operation)
        named = dict(zip(kind.types, args, strict=False)) | dict(kwargs)
        words = [f"{name}={self._word(value, kind.types[name])}" for name, value in named.items()]
        line = f"torch.ops.{kind.name}({', '.join(words)})"
        written = [named[name] for name in kind.written if name in named]
        self.written |= {memory(x) for x in tensors_in(written)}
        results = made if isinstance(made, tuple | list) else [made]
        if kind.makes:
            name = f"made{len(self.lines)}"
            for k, x in enumerate(results):
                if isinstance(x, Tensor):
                    self.names[x] = name if x is made else f"{name}[{k}]"
            line = f"{name} = {line}"
        self.lines.append(line)
        # TorchScript takes an operation that writes into a list of its own for one that does nothing
        own = any(x in self.names for value in written if isinstance(value, list) for x in value)
        tells = not all(isinstance(x, Tensor | None) for x in results)
        self.plain = self.plain and not (own or tells or kind.changes)

    def _word(self, value: Any, kind: Any = None) -> str:
        """An argument as TorchScript writes it."""
        if isinstance(value, Tensor):
            return self.names.get(value) or f"tensors{place(value, self.tensors)}"
        if isinstance(value, Generator):
            return f"generators{place(value, self.generators)}"
        if isinstance(value, list) and value and all(isinstance(x, Tensor) and x not in self.names for x in value):
            return f"lists{place(value, self.lists)}"
        if isinstance(value, tuple | list):
            return f"[{', '.join(map(self._word, value))}]" if value else f"torch.jit.annotate({kind}, [])"
        if isinstance(value, torch.device):
            return f"torch.device({str(value)!r})"
        return f"float({str(value)!r})" if isinstance(value, float) and not math.isfinite(value) else repr(value)

    def program(self, inputs: Sequence[str]) -> str:
        """The lines, for each row of some tables, in which the tensors named ``inputs`` are."""
        stay: dict[str, list[Any]] = {"tensors": self.tensors, "lists": self.lists, "generators": self.generators}
        lines = [
            "def program(tables: List[Tensor], tensors: List[Tensor], lists: List[List[Tensor]], generators: List[Generator]) -> int:",
            *(f"  {name}{k} = {name}[{k}]" for name, things in stay.items() for k in range(len(things))),
            "  for row in range(len(tables[0])):",
            *(f"    {name} = tables[{k}][row]" for k, name in enumerate(inputs)),
            *(f"    {line}" for line in self.lines),
            "  return 0\n",
        ]
        return "\n".join(lines)


def place(thing: Any, among: list[Any]) -> int:
    """Where a thing stands in a list, to which it is added if it is not there."""
    for k, other in enumerate(among):
        if other is thing:
            return k
    among.append(thing)
    return len(among) - 1


@dataclass(frozen=True)
class Kind:
    """What an operation's schema says.

    Its arguments' ``types``, and which are ``written``; whether results are ``views`` of arguments, or what it ``makes``; and whether it
    ``changes`` the shape or memory of a tensor that has a name.
    """

    name: str
    types: dict[str, Any]
    written: list[str]
    views: bool
    makes: bool
    changes: bool


def writes(part: Any) -> bool:
    """Whether an operation writes into this argument, or gives one back that it wrote into."""
    return part.alias_info is not None and part.alias_info.is_write


@cache
def kind_of(operation: Any) -> Kind:
    """The kind of an operation, read once, for PyTorch puts its schema together at each look."""
    schema = operation._schema
    arguments, results = list(schema.arguments), list(schema.returns)
    return Kind(
        schema.name.replace("::", "."),
        {argument.name: argument.type for argument in arguments},
        [argument.name for argument in arguments if writes(argument)],
        any(result.alias_info is not None and not writes(result) for result in results),
        bool(results) and not writes(results[0]),
        bool(CHANGING & set(operation.tags)),
    )


def tensors_in(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among an operation's arguments, and in lists among them."""
    lists = (value if isinstance(value, tuple | list) else [value] for value in values)
    return [x for x in itertools.chain.from_iterable(lists) if isinstance(x, Tensor)]


def memory(x: Tensor) -> int:
    """Where a tensor's memory begins."""
    return x.untyped_storage().data_ptr()


@lru_cache(64)
def compiled(source: str) -> Callable[..., int] | None:
    """The program of a source, the same for stacks of every width; ``None`` where TorchScript cannot."""
    try:
        return jit.CompilationUnit(source).program
    except (AttributeError, RuntimeError):
        return None


def noted(function: Function, row: Sequence[Tensor]) -> Run | None:
    """Call ``function(*row)``; what does the same for each row of some tables, ``None`` where nothing but the function does."""
    inputs = {f"input{k}": tensor for k, tensor in enumerate(row)}
    with _alone, Notes(inputs) as notes:
        function(*row)
    program = compiled(notes.program(list(inputs))) if notes.repeats else None
    if program is None:
        return None
    stay = notes.tensors, notes.lists, notes.generators

    def run(tables: list[Tensor]) -> None:
        with jit.optimized_execution(False):  # type: ignore[attr-defined]  # there is nothing to be found, in 20 ms
            program(tables, *stay)

    return run


class Program:
    """A function of tensors, called for row after row of tables: by Python twice, noted at the second time, and then as a program.

    Where it is not to be noted, Python calls it always. The function is handed over at each call: whoever has it as a method would
    otherwise hold himself.
    """

    def __init__(self, notes: bool = True) -> None:
        self.notes, self.calls = notes, 0
        self.run: Run | None = None

    def __call__(self, function: Function, tables: Sequence[Tensor]) -> None:
        """``function(*row)`` for each row of ``tables``."""
        if self.run:
            self.run(list(tables))
            return
        for done, row in enumerate(zip(*(table.unbind() for table in tables), strict=True), 1):
            self.calls += 1
            if self.notes and self.calls == 2:  # at the first call memory is taken that stays
                self.run = noted(function, row)
            else:
                function(*row)
            if self.run:
                self.run([table[done:] for table in tables])
                return
