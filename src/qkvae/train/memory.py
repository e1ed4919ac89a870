"""Memory that runs out: how it is said on each device, and how what is kept for later is given back."""

from __future__ import annotations

import torch

# Only CUDA has a class of its own for it; the processor's and Apple's allocators raise a RuntimeError.
_WORDS = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",  # Windows
    "MPS backend out of memory",
    "Invalid buffer size",  # MPS, for one tensor larger than all the memory there is
)


def ran_out(error: Exception) -> bool:
    """Whether an error says that memory ran out, which smaller tensors may mend.

    >>> ran_out(RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory"))
    True
    >>> ran_out(RuntimeError("The size of tensor a (2) must match the size of tensor b (3)"))
    False
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)


def give_back(device: str) -> None:
    """Free what the allocator of a device keeps for later tensors."""
    if device == "cuda":
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
