"""Interleaved timing: A B C A B C …, each candidate in a process of its own, medians and paired ratios.

A machine's speed drifts by tens of per cent within minutes; two candidates that take turns drift together,
so only the ratios within one round are believed, and their median is told.  With one thread CPU seconds are
counted, which other programs disturb least; with more, the clock on the wall, on a calm machine only.  A
process of its own keeps each candidate as its users run it: what one sets for its whole process (threads, how
memory is freed) helps nobody else.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Work = Callable[[int], float]
"""Does the work of a round, given its number, and tells how many units that was."""


@dataclass(frozen=True)
class Candidate:
    """Somebody who takes part."""

    name: str
    make: Callable[..., Work]
    """A function of a module, so that another process finds it; called there with ``arguments``."""

    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Result:
    """What was measured of one candidate."""

    name: str
    rates: list[float]
    """Units a second, round by round."""


def parser(doc: str | None) -> argparse.ArgumentParser:
    """The options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes: shows that it runs")
    parser.add_argument("--threads", type=int, default=1, help="1: CPU seconds; more: the clock on the wall")
    parser.add_argument("--rounds", type=int, help="rounds that count, after one that warms up")
    parser.add_argument(
        "--only", nargs="+", default=[], help="candidates whose names hold one of these words"
    )
    parser.add_argument(
        "--peer", type=Path, help="import the peers from this checkout; its commit is recorded"
    )
    parser.add_argument("--json", type=Path, help="add every round's figure to this file")
    return parser


def measure(candidates: Sequence[Candidate], options: argparse.Namespace, rounds: int) -> list[Result]:
    """Let the candidates take turns; one whose package is missing is left out, and that is said."""
    wanted = [c for c in candidates if not options.only or any(word in c.name for word in options.only)]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    workers = [_Worker(candidate, options) for candidate in wanted]
    try:
        workers = [worker for worker in workers if worker.ready()]
        for number in range(rounds + 1):
            for worker in workers:
                worker.turn(number)
        return [Result(worker.name, worker.rates[1:]) for worker in workers]
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A candidate's process, seen from outside."""

    def __init__(self, candidate: Candidate, options: argparse.Namespace) -> None:
        self.name, self.rates = candidate.name, list[float]()
        spawn = multiprocessing.get_context("spawn")
        self.pipe, far = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(far, candidate, options.threads, options.peer))
        self.process.start()
        far.close()

    def ready(self) -> bool:
        """Whether it could be set up."""
        missing = self._hear()
        if missing:
            print(f"{self.name}: left out, {missing}", file=sys.stderr)
            self.end()
        return not missing

    def turn(self, number: int) -> None:
        """Let it do one round."""
        self.pipe.send(number)
        units, seconds = self._hear()
        self.rates.append(units / seconds)
        print(f"{self.name}: round {number}, {seconds:.2f} s", file=sys.stderr)

    def end(self) -> None:
        """Let it go."""
        self.pipe.close()
        self.process.join()

    def _hear(self) -> Any:
        answer = self.pipe.recv()
        if isinstance(answer, Exception):
            raise RuntimeError(f"{self.name} failed") from answer
        return answer


def _serve(pipe: Connection, candidate: Candidate, threads: int, peer: Path | None) -> None:
    """What a candidate's process does."""
    if peer is not None:
        sys.path[:0] = [str(peer / "src"), str(peer)]
    from qkvae.nn.tiles import spare_failing_tiles

    spare_failing_tiles()  # for the peers as well
    clock = time.process_time if threads == 1 else time.perf_counter
    try:
        work = candidate.make(*candidate.arguments)
        pipe.send("")
        while True:
            number = pipe.recv()
            begun = clock()
            units = work(number)
            seconds = clock() - begun
            pipe.send((units, seconds))
    except ModuleNotFoundError as error:
        pipe.send(str(error))
    except EOFError:
        pass
    except Exception:
        pipe.send(RuntimeError(traceback.format_exc()))


def report(results: Sequence[Result], options: argparse.Namespace, unit: str) -> str:
    """A table in Markdown: medians, and how many times as quick the first is as each (paired by round)."""
    first = results[0]
    lines = [f"| who | {unit} (median) | slowest to quickest round | {first.name} is |", "|---|---|---|---|"]
    for result in results:
        ratio = statistics.median(a / b for a, b in zip(first.rates, result.rates, strict=True))
        middle, low, high = statistics.median(result.rates), min(result.rates), max(result.rates)
        lines.append(f"| {result.name} | {middle:,.4g} | {low:,.4g} to {high:,.4g} | {ratio:.2f} × |")
    if options.json:
        facts = {"circumstances": circumstances(options), "results": [asdict(result) for result in results]}
        with options.json.open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")
    return "\n".join([*lines, "", circumstances(options)])


def circumstances(options: argparse.Namespace) -> str:
    """Command, machine, versions: what a figure means nothing without."""
    from importlib.metadata import PackageNotFoundError, version

    versions: list[str] = []
    for name in ("torch", "transformers", "ctranslate2"):
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"no {name}")
    clock = "CPU seconds" if options.threads == 1 else "wall clock"
    peer = f"; peer {options.peer.name} at {commit(options.peer)}" if options.peer else ""
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    return (
        f"`{command}`, qkvae at {commit(Path(__file__).parent)}, {time.strftime('%Y-%m-%d')}, "
        f"{platform.machine()} with {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
        f"threads {options.threads}, {clock}; {', '.join(versions)}{peer}"
    )


def commit(path: Path) -> str:
    """The commit of a checkout, marked "-dirty" if files were changed since."""
    words = ["git", "-C", str(path), "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(words, check=True, capture_output=True, encoding="utf-8").stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "no commit"
