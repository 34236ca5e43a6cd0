"""PyTorch, imported at first use: listing, validating and describing techniques must not cost its import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch as torch
else:

    class _Torch:
        def __getattr__(self, name: str) -> Any:
            import torch

            value = getattr(torch, name)
            setattr(self, name, value)  # looked up once: the next access is a plain attribute
            return value

    torch = _Torch()
