"""What chaos executes of a run: its fence, as it stands in the deployed package, and a while in place of its work.

A fence is executed as its pod would be: the step's own program, with the argument that the run was given, the name of
a pod of its Workflow, and a Storage to write to. All of them are in this process, each in a thread and a namespace of
its own; a process each would cost more than all else in chaos.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import CodeType, SimpleNamespace
from typing import Any

from infra.package.fence import TASK
from rehearsal.chaos.faults import chances
from rehearsal.runs.executor import OnTask, Outcome
from rehearsal.runs.pods import variables

AT_ONCE = 8
LATE_RATE = 0.3  # of pods that wait for a node
RETRY_RATE = 0.2  # of pods that are evicted, and started again


class Pods:
    """Executes runs, as far as chaos does. ``worked`` are the Workflows that did their work, in order, or would have
    done it when they were removed.

    ``lease`` is in seconds, and so is all time here. ``storage`` and ``metadata`` are addresses, to be set before the
    first run.
    """

    def __init__(self, seed: int, lease: float) -> None:
        self.storage = self.metadata = ""
        self.worked: list[str] = []
        self._seed, self._lease = seed, lease
        self._programs: dict[str, CodeType] = {}
        self._begun: Counter[str] = Counter()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="pod")
        self._starting: set[asyncio.Future[None]] = set()

    async def run(
        self,
        package: Mapping[str, Any],
        parameters: Mapping[str, Any],
        on_task: OnTask,
        workflow: str,
    ) -> Outcome:
        """Executes the fence of a package, if it has one, and lets some time pass. Cancelled, its pods are gone."""
        event = json.dumps(parameters, sort_keys=True)  # a workflow's name is the chance's, and not the seed's
        late, long = chances(self._seed, "pod", event, self._begun[event])
        again, _ = chances(self._seed, "evicted", event, self._begun[event])
        self._begun[event] += 1
        begun = asyncio.get_running_loop().create_future()
        self._starting.add(begun)
        try:
            if late < LATE_RATE:
                await asyncio.sleep(1.5 * self._lease * late / LATE_RATE)
            if program := self._fence(package):
                given = program, workflow, parameters["launch_fence"], again < RETRY_RATE
                if refusal := await asyncio.get_running_loop().run_in_executor(self._threads, self._pass, *given):
                    return Outcome("FAILED", refusal, task=TASK)
                on_task(TASK, {}, "")
            else:
                self.worked.append(workflow)
        finally:
            begun.set_result(None)
            self._starting.discard(begun)
        await asyncio.sleep(3 * self._lease * long)
        return Outcome("SUCCEEDED")

    async def settle(self) -> None:
        """Waits until every Workflow that is there has come to its fence, and passed or not."""
        while self._starting:
            await asyncio.wait(self._starting)

    def close(self) -> None:
        """Starts no more."""
        self._threads.shutdown(cancel_futures=True)

    def _pass(self, program: CodeType, workflow: str, place: str, evicted: bool) -> str:
        """Why a Workflow ends at its fence, empty if it does not. One pod of it that passes is enough to work.

        It is in a thread, which does not end when its Workflow is removed; what it wrote is not taken back either.
        """
        environment = {
            **variables(workflow),
            "STORAGE_EMULATOR_HOST": self.storage,
            "GCE_METADATA_HOST": self.metadata,
        }
        refusals = [execute(program, [TASK, place], environment) for _ in range(2 if evicted else 1)]
        if "" not in refusals:
            return refusals[0]
        self.worked.append(workflow)
        return ""

    def _fence(self, package: Mapping[str, Any]) -> CodeType | None:
        container = package["deploymentSpec"]["executors"].get(f"exec-{TASK}", {}).get("container")
        if not container:
            return None
        *_, source = container["command"]
        return self._programs.setdefault(source, compile(source, "fence", "exec"))


def execute(program: CodeType, arguments: list[str], environment: Mapping[str, str]) -> str:
    """Runs a Python program as a process of its own would; returns what it ends with, empty if all is well."""
    names: dict[str, Any] = {"__name__": "program"}
    exec(program, names)  # noqa: S102 it is the product's own
    names["os"] = SimpleNamespace(environ={**os.environ, **environment})
    names["sys"] = SimpleNamespace(argv=arguments, exit=names["sys"].exit)
    names["print"] = lambda *_, **__: None
    try:
        names["main"]()
    except SystemExit as end:
        return str(end.code)
    return ""
