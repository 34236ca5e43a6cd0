"""A training step on a GPU, recorded once as a CUDA graph and replayed from then on: one call a step instead of one for each kernel.

What is replayed are kernels at addresses, not Python. So a step that is recorded waits for nothing, takes nothing from the CPU but by its
inputs, and all memory that it did not take itself outlives it; ``tests/training/test_graphs.py`` holds it to that without a GPU.
The rules: PyTorch's notes on CUDA semantics, "CUDA Graphs".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from threading import Lock

import torch
from torch import Tensor

from koubai.language import Words, tell

# calls before the recording: at first use libraries choose kernels and take memory of their own, which cannot be recorded
WARM = 3

Function = Callable[..., Tensor]

_alone = Lock()  # a recording begins by waiting for the whole GPU, which would spoil another one


class Graph:
    """The recording of one function, which is called with tensors of the same shapes every time and gives one.

    The function is handed over at each call: whoever has it as a method would otherwise hold himself, and his memory on the GPU.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.inputs: list[Tensor] = []
        self.output = torch.empty(0)
        self.replay: Callable[[], None] | None = None

    def __call__(self, function: Function, *inputs: Tensor) -> Tensor:
        """``function(*inputs)``: as it is at first, replayed later."""
        self.inputs = self.inputs or [torch.empty_like(given) for given in inputs]
        for own, given in zip(self.inputs, inputs, strict=True):
            own.copy_(given)
        if self.calls == WARM:
            self._record(function)
        self.calls += 1
        if self.replay is None:
            return aside(function, self.inputs)
        self.replay()
        return self.output.clone()

    def _record(self, function: Function) -> None:
        """Record the function; where that cannot be, it goes on as it is."""
        try:
            self.output, self.replay = recorded(function, self.inputs)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            why = str(error).partition("\n")[0]
            tell(
                Words(
                    f"The training step could not be recorded as a CUDA graph ({why}); the training goes on without, and takes longer.",
                    f"学習のステップをCUDAグラフとして記録できませんでした({why})。記録せずに続けるため、時間が長くかかります。",
                )
            )


def graph_on(device: torch.device) -> Graph | None:
    """What records a stack's step, where the device can: a GPU. On a processor Python costs less than copies of the inputs would."""
    return Graph() if device.type == "cuda" else None


@cache
def side() -> torch.cuda.Stream:
    """The stream on which steps are recorded; on the usual one nothing can be."""
    return torch.cuda.Stream()


def aside(function: Function, inputs: Sequence[Tensor]) -> Tensor:
    """``function(*inputs)`` on the stream on which it will be recorded, in its turn among the work of the usual one."""
    usual = torch.cuda.current_stream()
    with _alone:
        side().wait_stream(usual)
        with torch.cuda.stream(side()):
            made = function(*inputs)
        usual.wait_stream(side())
    made.record_stream(usual)
    return made


def recorded(function: Function, inputs: Sequence[Tensor]) -> tuple[Tensor, Callable[[], None]]:
    """Where ``function(*inputs)`` will lie, and what computes it anew each time; nothing is computed yet."""
    graph, usual = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    with _alone, torch.cuda.stream(usual):  # to which a recording that fails does not come back by itself
        with torch.cuda.graph(graph, stream=side(), capture_error_mode="thread_local"):  # other threads may take memory meanwhile
            made = function(*inputs)
        torch.cuda.empty_cache()  # what the calls before it took on this stream
    return made, graph.replay
