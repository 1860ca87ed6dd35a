"""Runs the model for several callers: each for itself, or those who wait together as one batch."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from edge.perception.letterbox import Tensor
from edge.perception.providers import InferenceLost

Outputs = tuple[Tensor, ...]
RunBatch = Callable[[Tensor], Outputs]
"""One run: pictures as one input with a batch's dimension, outputs with the same dimension."""


class Runner(Protocol):
    """Runs laid-out pictures through a model. Called from worker threads."""

    def run(self, pictures: Sequence[Tensor]) -> list[Outputs]:
        """Outputs of each picture, each with a batch's dimension of one.

        Raises:
            InferenceLost: a run failed.
        """
        ...


class OneByOne:
    """Every picture is a run of its own; callers run beside one another."""

    def __init__(self, run_batch: RunBatch) -> None:
        self._run_batch = run_batch

    def run(self, pictures: Sequence[Tensor]) -> list[Outputs]:
        return [self._run_batch(picture[np.newaxis]) for picture in pictures]


@dataclass(slots=True)
class _Request:
    pictures: Sequence[Tensor]
    begun: int = 0
    found: dict[int, Outputs] = field(default_factory=dict)
    error: InferenceLost | None = None

    @property
    def done(self) -> bool:
        return self.error is not None or len(self.found) == len(self.pictures)

    @property
    def waits(self) -> bool:
        return self.error is None and self.begun < len(self.pictures)


class Batching:
    """Pictures that wait at the same time go through the model together.

    Nobody waits for a batch to fill: who finds the model idle runs at once, and whatever has
    gathered meanwhile is the next run. So the wait is bounded by the runs of those who came before,
    ``batch_max`` pictures each. One picture of each caller in turn: a camera with many tiles does
    not hold up one with a single picture.
    """

    def __init__(self, run_batch: RunBatch, batch_max: int) -> None:
        self._run_batch = run_batch
        self._batch_max = batch_max
        self._changed = threading.Condition()
        self._waiting: deque[_Request] = deque()
        self._running = False
        self.runs = 0
        """Runs of the model so far."""

    def run(self, pictures: Sequence[Tensor]) -> list[Outputs]:
        request = _Request(pictures)
        if not pictures:
            return []
        with self._changed:
            self._waiting.append(request)
            while not request.done:
                if self._running:
                    self._changed.wait()
                else:
                    self._lead()
        if request.error is not None:
            raise InferenceLost(str(request.error)) from request.error
        return [request.found[number] for number in range(len(pictures))]

    def _lead(self) -> None:
        """Run what waits now, for all whose pictures are in it. The lock is held."""
        batch = self._gather()
        self._running = True
        self._changed.release()
        outputs: Outputs = ()
        error: InferenceLost | None = None
        try:
            pictures = [request.pictures[number] for request, number in batch]
            outputs = self._run_batch(np.stack(pictures))
        except InferenceLost as lost:
            error = lost
        finally:
            self._changed.acquire()
            self._running = False
            self.runs += 1
            if not outputs and error is None:
                error = InferenceLost("the model gave nothing")
            for place, (request, number) in enumerate(batch):
                if error is not None:
                    request.error = error
                else:
                    request.found[number] = tuple(one[place : place + 1] for one in outputs)
            self._changed.notify_all()

    def _gather(self) -> list[tuple[_Request, int]]:
        """Pictures of the next run, one of each caller in turn, and then again."""
        batch: list[tuple[_Request, int]] = []
        while self._waiting and len(batch) < self._batch_max:
            request = self._waiting.popleft()
            if not request.waits:
                continue
            batch.append((request, request.begun))
            request.begun += 1
            if request.waits:
                self._waiting.append(request)
        return batch
