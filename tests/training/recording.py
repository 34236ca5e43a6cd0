"""What stands in for a GPU: a strict look at a step on tensors without values, and a CUDA graph's likeness on the processor.

Tensors without values are those of PyTorch's device ``meta``. The likeness repeats kernels at addresses, and runs no Python between them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

META = torch.device("meta")
SET = torch.ops.aten.set_  # Python's only: from here on a buffer means other memory
ITEM = torch.ops.aten._local_scalar_dense.default


def tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def storage(x: Tensor) -> StorageWeakRef:
    return StorageWeakRef(x.untyped_storage())


class OnOneDevice(TorchDispatchMode):
    """Inside, no kernel takes or makes a tensor of the processor. Tensors without values refuse by themselves to tell one."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels = 0

    def __torch_dispatch__(self, kernel: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = kernel(*args, **(kwargs or {}))
        for x in tensors((args, kwargs, made)):
            assert x.device == META, f"{kernel}: a tensor of shape {tuple(x.shape)} on the processor"
        self.kernels += 1
        return made


class NothingBrought(TorchFunctionMode):
    """Inside, no tensor is made of Python's numbers on the processor and brought from there, which no kernel shows."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in (torch.tensor, torch.as_tensor, torch.from_numpy):
            assert isinstance(args[0], Tensor), f"{function} copies from the processor"
        if function in (Tensor.__getitem__, Tensor.__setitem__):
            where = args[1] if isinstance(args[1], tuple) else (args[1],)
            assert not any(isinstance(at, list) for at in where), "a list of places is copied from the processor"
        return function(*args, **(kwargs or {}))


class Recording(TorchDispatchMode):
    """Kernels and the memory that they worked on, in order; ``found`` is memory that was there before."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[tuple[Any, Any, Any, Any]] = []
        self.found: dict[int, StorageWeakRef] = {}
        self.made: dict[int, StorageWeakRef] = {}

    def __torch_dispatch__(self, kernel: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert kernel is not ITEM, "a step that waits for a value cannot be recorded"
        kwargs = kwargs or {}
        if kernel.overloadpacket is SET:
            return kernel(*args, **kwargs)
        for x in tensors((args, kwargs)):
            one = storage(x)
            if one.cdata not in self.made:
                self.found[one.cdata] = one
        fixed = tree_map_only(Tensor, Tensor.detach, (args, kwargs))  # where they lie now
        made = kernel(*args, **kwargs)
        for x in tensors(made):
            one = storage(x)
            if one.cdata not in self.found:
                self.made[one.cdata] = one
        self.kernels.append((kernel, *fixed, tree_map_only(Tensor, Tensor.detach, made)))
        return made

    def replay(self) -> None:
        """All kernels once more, at the same addresses."""
        for kernel, args, kwargs, made in self.kernels:
            for new, old in zip(tensors(kernel(*args, **kwargs)), tensors(made), strict=True):
                if new.untyped_storage().data_ptr() != old.untyped_storage().data_ptr():
                    old.copy_(new)


class Untouched(TorchDispatchMode):
    """Keeps what memory held when a kernel first met it, and puts it back."""

    def __init__(self) -> None:
        super().__init__()
        self.met: dict[int, StorageWeakRef] = {}
        self.held: list[tuple[Tensor, Tensor]] = []

    def __torch_dispatch__(self, kernel: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for x in tensors((args, kwargs)) if kernel.overloadpacket is not SET else ():
            one = storage(x)
            if one.cdata not in self.met:
                self.met[one.cdata] = one
                whole = torch.empty(0, dtype=x.dtype).set_(x.untyped_storage())
                self.held.append((whole, whole.clone()))
        return kernel(*args, **(kwargs or {}))

    def restore(self) -> None:
        """Everything as it was."""
        for memory, before in self.held:
            memory.copy_(before)


class LikeCUDAGraph:
    """In the place of ``torch.cuda.CUDAGraph``."""

    recording: Recording

    def replay(self) -> None:
        """All kernels once more."""
        self.recording.replay()


class LikeCapture:
    """In the place of ``torch.cuda.graph``: as there, what is recorded is not done yet."""

    def __init__(self, graph: LikeCUDAGraph, stream: Any, capture_error_mode: str) -> None:
        assert capture_error_mode in ("global", "thread_local", "relaxed")
        graph.recording = self.recording = Recording()
        self.untouched = Untouched()

    def __enter__(self) -> None:
        self.untouched.__enter__()
        self.recording.__enter__()

    def __exit__(self, *what: Any) -> None:
        self.recording.__exit__(*what)
        self.untouched.__exit__(*what)
        self.untouched.restore()


class LikeStream:
    """In the place of ``torch.cuda.Stream``: on a processor all happens in its turn."""

    def wait_stream(self, other: LikeStream) -> None:
        """Nothing to wait for."""
