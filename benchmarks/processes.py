"""A whole process: the CPU seconds it used and the most memory it held (Linux and macOS)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    cpu: float
    """CPU seconds, in user and system mode, of all its threads."""

    wall: float
    """Seconds until it ended."""

    peak: float
    """Most memory it held, in MB."""


def run(command: list[str], threads: int) -> Cost:
    """Run a command to its end, its output aside.

    The peak that the system tells of a process includes its parent's size at its birth, so the caller must be
    small: import nothing heavy beside this.

    Raises:
        RuntimeError: the command failed.
    """
    limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), str(threads))
    begun = time.perf_counter()
    process = subprocess.Popen(
        command,
        env={**os.environ, **limits},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}:\n{said}")
    unit = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, kilobytes here
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - begun, usage.ru_maxrss / unit)
