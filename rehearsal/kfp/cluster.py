"""Kubernetes, as far as the API server asks for it: where Workflows are created, and cannot be created back.

A Workflow that is being stored when its caller is gone is stored. The server learns nothing of it and writes no row,
so the run id says 404 for ever while the Workflow works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum

from rehearsal.kfp.pace import Pace, Turns
from rehearsal.kfp.requests import INTERNAL, ApiError
from rehearsal.kfp.runs import Workflow

STORING_SECONDS = 0.02
TOO_LARGE = "etcdserver: request is too large"
LARGEST_OBJECT = 1536 * 1024  # etcd's --max-request-bytes, by default


class Trouble(StrEnum):
    """What befalls an installation when it has stored a Workflow and has not yet written its row."""

    DIES = "the server dies"
    ANSWER_LOST = "the answer of Kubernetes is lost"
    DATABASE_DEAD = "the database dies"
    READ_ONLY = "the database takes nothing"


class Cluster:
    """The API server's client for Workflows. ``stored`` hears of each one that is there from now on.

    ``storing`` is how long Kubernetes takes for one, in seconds of the endpoint.
    """

    def __init__(self, pace: Pace, stored: Callable[[Workflow], None]) -> None:
        self.storing = STORING_SECONDS
        self.turns = Turns()
        self._pace, self._stored = pace, stored

    async def create(self, workflow: Workflow, size: int) -> None:
        """Waits for its turn and creates a Workflow. ``size`` is about what it takes in etcd, in bytes.

        Cancelled while it waits, there is no Workflow; cancelled later, there is one.
        """
        await self.turn()
        if size > LARGEST_OBJECT:
            raise ApiError(INTERNAL, f"Failed to create a workflow for ({workflow.name}): {TOO_LARGE}")
        try:
            await self._pace.sleep(self.storing)
        finally:
            self._stored(workflow)

    async def turn(self) -> None:
        """Waits for the turn of one request to Kubernetes."""
        turns, now = self.turns, self._pace.now()
        turn = turns.take(now)
        try:
            await self._pace.sleep(turn - now)
        except asyncio.CancelledError:
            turns.give_back(turn, self._pace.now())
            raise

    def restart(self) -> None:
        """A new process of the server has a new queue, of the same limits."""
        self.turns = Turns(self.turns.per_second, self.turns.burst)
