"""The loop: plain, resumable at any instant, with an end that the user chose."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import Tensor

from qkvae.config import Optimizer, Saving, Training
from qkvae.run import Run
from qkvae.train.device import Machine
from qkvae.train.exchange import exchanged, state_with
from qkvae.train.interrupt import Interruption, Paused, interruptible
from qkvae.train.learner import Learner
from qkvae.train.meter import Meter
from qkvae.train.objective import Objective, Watched
from qkvae.train.plan import Plan, Planner, plans_of
from qkvae.train.processes import ALONE, LostProcess, Processes
from qkvae.train.progress import Reporter
from qkvae.train.sinks import make_sink

_NEARLY = 0.95  # progress from which hardly anything is missing
_CUT = (
    "the time is over after {:,} steps, at {:.0%} of the way that was planned: an evaluation or the machine "
    "may have been slower than before; give more --minutes or fewer --validations"
)


class Loop:
    """One training, from its first step or from where it was interrupted.

    The batches of a step are a pure function of (seed, step), and so is all randomness: resuming needs what
    the learner holds and a few numbers, saved together.

    Several processes run one loop each and take the same steps.  What needs the clock, the folder or a person
    (plans, evaluations, saves, stopping) is done by the first of them, and the others follow.

    Args:
        objective: what is trained, on what.
        run: where everything is kept; only the first process reads and writes there.
        replay: plans of another run's log to follow instead of the clock.
        clock: seconds since any fixed instant.
        begun: the instant, on that clock, from which the minutes count.
        ending: seconds that the work after the last step will take.
        processes: those that train together.
    """

    def __init__(
        self,
        objective: Objective,
        run: Run,
        machine: Machine,
        reporter: Reporter,
        *,
        processes: Processes = ALONE,
        replay: list[Plan] | None = None,
        clock: Callable[[], float] = time.monotonic,
        begun: float | None = None,
        ending: float = 0.0,
    ) -> None:
        self.objective, self.run, self.reporter = objective, run, reporter
        self.training: Training = run.config.training
        self.optimizer: Optimizer = run.config.optimizer
        self.saving: Saving = run.config.saving
        self.clock, self.ending, self.processes = clock, ending, processes
        self.sink = make_sink(self.saving.sink if processes.leads else "none", run.path)
        self.learner = Learner(objective, self.training, self.optimizer, machine, reporter, processes)
        self.step = 0
        self.validations = 0
        self.validation_seconds = 0.0
        self.best: float | None = None
        self.without_better = 0
        saved = run.load_state() if processes.leads else None
        facts = processes.told(saved and saved[1])
        used, known = 0.0 if begun is None else clock() - begun, list(replay or [])
        if facts is None:
            self._start()
        else:
            before, plan = self._restore(saved[0] if saved else {}, facts)
            used, known = used + before, [plan, *(p for p in known if p.step > plan.step)]
        minutes = self.training.time_limit
        self.planner = Planner(
            steps=self.training.steps,
            seconds=None if minutes is None else 60 * minutes,
            clock=clock,
            used=used,
            known=known,
            replay=replay is not None,
        )
        self.saved_at = clock()
        self.interruption = Interruption()

    def fit(self) -> None:
        """Train to the end of the plan.

        Raises:
            KeyboardInterrupt: the user pressed Ctrl-C; everything is saved.
            ValueError: the loss became infinite or not a number.
            LostProcess: another process has ended; everything is saved.
        """
        if self.step == 0 and self.processes.leads:
            self.run.log(self.planner.current.record())
        self.objective.model.train()
        paused = False
        with interruptible() as self.interruption:
            try:
                self._take_steps(Meter(self.clock, self.objective.counted))
            except Paused:
                paused = True
                self._stop_early()
            except LostProcess:
                if self.processes.leads:
                    self._save_state()  # the weights are whole: a step waits until it has heard of all
                raise
        if paused or self.interruption.asked:
            raise KeyboardInterrupt

    def _take_steps(self, meter: Meter) -> None:
        """Steps, and what is due after each, until the plan or the patience ends."""
        if self.step:  # Ctrl-C in the middle of an evaluation left it to be made now
            self._lead(lambda: self._evaluate_and_plan(meter))
        batches = self.objective.batches(self.step * self.training.accumulate)
        while self.step < self.planner.current.steps and not self._patience_ends():
            loss, tokens = self._train_step(batches)
            self.step += 1
            meter.add(loss, tokens)
            self._lead(lambda: self._after_step(meter))
        if not self._patience_ends():
            self._lead(lambda: self._evaluate_and_plan(meter, last=True))

    def _lead(self, work: Callable[[], None]) -> None:
        """The first process works while the others wait; then all know what it decided.

        Raises:
            Paused: somebody pressed Ctrl-C, at whichever process.
        """
        try:
            if self.processes.leads:
                work()
        except Paused:
            self._agree()
            raise
        if self._agree():
            raise Paused

    def _agree(self) -> bool:
        """The first process's plan and patience are everybody's; whether to stop."""
        plan = self.planner.current
        step, progress, steps, without_better, stop = self.processes.told_numbers(
            plan.step, plan.progress, plan.steps, self.without_better, self.interruption.asked
        )
        self.planner.current = Plan(int(step), progress, int(steps))
        self.without_better = int(without_better)
        return bool(stop)

    def _train_step(self, batches: Iterator[Any]) -> tuple[float, int]:
        """One optimiser step; the mean loss and the tokens it was over, those of all processes."""
        together = [next(batches) for _ in range(self.training.accumulate)]
        return self.learner.take(together, self.step, self.planner.current, self.interruption)

    def _evaluate_and_plan(self, meter: Meter, last: bool = False) -> None:
        """Evaluate and change the plan, each when it is time; after the last step no plan is left to change.

        What an evaluation found is saved before anything follows from it.  A kill before that save leaves no
        trace of the evaluation, and it will be made again; after it, resuming does what is left to do.
        """
        evaluation = self._evaluate_if_due(meter, last)
        plan = None if last else self.planner.change(self.step, self._pending())
        if plan is not None and plan.steps <= self.step:
            if plan.progress < _NEARLY and self.planner.budget is not None:
                self.reporter.say(f"warning: {_CUT.format(self.step, plan.progress)}")
            if evaluation is not None:  # it was the last one
                self.validations = self.training.validations
        records = [record for record in (evaluation, plan and plan.record()) if record]
        if evaluation is not None:
            begun = self.clock()
            self._save_state(records)
            self._follow(evaluation)
            seconds = self.clock() - begun
            self.validation_seconds += seconds
            self._leave_out(seconds, meter)
        for record in records:
            self.run.log(record)

    def _after_step(self, meter: Meter) -> None:
        """Evaluate, change the plan, tell and save, each when it is time."""
        self._evaluate_and_plan(meter)
        now = self.planner.current
        left = self._seconds_left(meter.seconds_per_step)
        self.reporter.step(now.at(self.step), meter.loss, meter.speed, left)
        if meter.due():
            numbers = meter.numbers() | {"lr": self.optimizer.lr * self.learner.rate(now, self.step)}
            self.run.log({"step": self.step, "seconds": round(self.planner.used(), 2), **numbers})
            self.sink.tell(self.step, numbers)
        if self.clock() - self.saved_at >= self.saving.save_every:
            self._save_state()

    def _evaluate_if_due(self, meter: Meter, last: bool) -> dict[str, Any] | None:
        """An evaluation each time progress passes another ``validations``-th of the way, and at the end; the
        record of it."""
        wanted = self.training.validations
        reached = wanted if last else math.floor(self.planner.current.at(self.step) * wanted + 1e-9)
        if reached <= self.validations:
            return None
        begun = self.clock()
        model = self.objective.model.eval()
        self.learner.mark(self.step)
        with exchanged(model, self.learner.kept), self.interruption.at_once():
            figures = self.objective.validate()
        model.train()
        self.validations = reached
        value = figures[self.objective.metric]
        # Of equals the one that learned for longer is kept: BLEU, for one, is 0 for a while.
        equal = value == self.best
        improved = self.best is None or (
            value > self.best if self.objective.larger_is_better else value < self.best
        )
        self.best = value if improved else self.best
        self.without_better = 0 if improved else self.without_better + 1
        seconds = self.clock() - begun
        self.validation_seconds = max(seconds, 0.5 * self.validation_seconds)
        self._leave_out(seconds, meter)
        return {
            "step": self.step,
            "seconds": round(self.planner.used(), 2),
            **figures,
            "best": improved or equal,
        }

    def _follow(self, evaluation: dict[str, Any]) -> None:
        """Keep the weights that were evaluated, and tell of it."""
        weights = state_with(self.objective.model, self.learner.kept)
        if evaluation["best"]:
            self.run.save_model(weights)
        if self.saving.keep:
            self.run.save_checkpoint(self.step, weights, self.saving.keep)
        figures = {name: x for name, x in evaluation.items() if name not in ("step", "seconds", "best")}
        self.sink.tell(self.step, figures)
        shown = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        best = "  (best so far)" if evaluation["best"] else ""
        self.reporter.say(f"step {self.step}: {shown}{best}")
        if isinstance(self.objective, Watched) and (told := self.objective.advice(figures)):
            self.reporter.say(f"warning: {told}")

    def _leave_out(self, seconds: float, meter: Meter) -> None:
        """Time that went into an evaluation and not into steps."""
        self.planner.left_out(seconds)
        meter.leave_out(seconds)

    def _patience_ends(self) -> bool:
        patience = self.training.patience
        return patience is not None and self.without_better >= patience

    def _pending(self) -> float:
        """Seconds that the evaluations still due and the ending will take.

        Of the time that is left the evaluations get half, or one of them its time: on a machine that is busy
        for a while a slow one must not end the training, and those it makes late fall together.  One that
        uses up the time is the last.
        """
        due = self.training.validations - self.validations
        evaluations = due * self.validation_seconds
        if self.planner.budget is not None:
            half = (self.planner.budget - self.planner.used() - self.ending) / 2
            evaluations = min(evaluations, max(half, self.validation_seconds))
        return evaluations + self.ending

    def _seconds_left(self, per_step: float) -> float:
        if self.planner.budget is not None:
            return max(0.0, self.planner.budget - self.planner.used())
        return (self.planner.current.steps - self.step) * per_step + self._pending()

    def _stop_early(self) -> None:
        """Save everything."""
        if self.processes.leads:
            self._save_state()
            if self.best is None:  # a run that was never evaluated is still a run that can be used
                self.run.save_model(state_with(self.objective.model, self.learner.kept))
        self.processes.wait()

    def _save_state(self, records: Sequence[dict[str, Any]] = ()) -> None:
        """Everything that resuming needs, in one file; ``records`` are still to be logged and followed."""
        tensors, facts = self.learner.state()
        facts |= {
            "step": self.step,
            "plan": self.planner.current.record(),
            "used": self.planner.used(),
            "validations": self.validations,
            "validation_seconds": self.validation_seconds,
            "best": self.best,
            "without_better": self.without_better,
            "records": list(records),
        }
        self.run.save_state(tensors, facts)
        self.saved_at = self.clock()

    def _start(self) -> None:
        """Begin, whatever an earlier beginning left."""
        if self.processes.leads:
            self.run.rewind(-1)
        self.learner.begin_alike()

    def _restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> tuple[float, Plan]:
        """Go on from a save; the seconds used before it, and the plan that was followed."""
        self.learner.load(tensors, facts)
        self.step = facts["step"]
        self.validations, self.validation_seconds = facts["validations"], facts["validation_seconds"]
        self.best, self.without_better = facts["best"], facts["without_better"]
        if self.processes.leads:
            self._make_up_for(facts.get("records", []))  # qkvae 0.1.0 saved none
        return facts["used"], plans_of([facts["plan"]])[0]

    def _make_up_for(self, records: list[dict[str, Any]]) -> None:
        """Bring the folder to where the save is: what was to be logged and kept after it."""
        self.run.rewind(self.step, records)
        for evaluation in (record for record in records if "best" in record):
            self._follow(evaluation)
        if self.best is not None:
            self.run.load_model()  # the best so far must be whole before more time is spent
