"""Whether the processor's matrix tiles (Intel AMX) may be used."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import warnings
from typing import NoReturn

import torch

_TRIAL = "import torch; x = torch.ones(64, 64, dtype=torch.bfloat16); x @ x"


@functools.cache
def spare_failing_tiles() -> bool:
    """Keep oneDNN from tiles that end the process; to be called before products in bf16 or in 8 bits.

    Some virtual machines pass on the bit for AMX and not the sizes of its tiles (CPUID leaf 1DH).  oneDNN
    reads the bit alone, and its products then end in an illegal instruction, which no `except` catches.
    Hence a trial in a process of its own, and only where the bit is set.

    Returns:
        Whether such products may be computed now.  oneDNN reads the limit on its instructions once, so it is
        too late where it has computed anything before.
    """
    advertised = torch.cpu._is_amx_tile_supported()  # pyright: ignore[reportPrivateUsage]
    if not advertised or _survives():
        return True
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16")
    return _survives()


def tiles_work() -> bool:
    """Whether products in bf16 run on tiles; asked before the first product, like the above."""
    advertised = torch.cpu._is_amx_tile_supported()  # pyright: ignore[reportPrivateUsage]
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper()
    return advertised and spare_failing_tiles() and ("AMX" in limit or limit in ("ALL", "DEFAULT"))


def _survives() -> bool:
    if not hasattr(os, "fork"):
        return subprocess.run([sys.executable, "-c", _TRIAL], capture_output=True).returncode == 0
    with warnings.catch_warnings():
        # Other threads do not matter to a child that computes one product on its own and leaves.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _multiply_and_leave()
    return os.waitpid(child, 0)[1] == 0


def _multiply_and_leave() -> NoReturn:
    import faulthandler

    faulthandler.disable()
    torch.set_num_threads(1)
    x = torch.ones(64, 64, dtype=torch.bfloat16)
    torch.mm(x, x)
    os._exit(0)
