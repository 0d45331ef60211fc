"""What `pipeline-trigger launches list` and `replay` do, in the environment of a rehearsal."""

from __future__ import annotations

from ops.errors import OperationError
from ops.launches.cloud import Cloud
from ops.launches.deployment import deployment
from ops.launches.events import Asked
from ops.launches.history import Launch, read_history
from ops.launches.replay import replay
from ops.launches.words import State
from rehearsal.environment import Environment


def replay_dead_letter(environment: Environment, trigger: str) -> Launch:
    """Finds a trigger's one dead letter in the list, and replays it."""
    stands = deployment(environment.plan.stack, environment.plan.exports)
    cloud = Cloud.on_stand_ins(stands.project, environment.pubsub_url, environment.storage_url)
    [letter] = [found for found in read_history(cloud, stands, trigger) if found.state is State.DEAD_LETTERED]
    [replayed] = replay(cloud, stands, [letter], Asked.now(cloud.caller, "the endpoint is back"))
    if replayed.refusal:
        raise OperationError(replayed.refusal)
    return letter
