"""Every edit of a stack file is carried out by one `up`, changes what it should, and leaves nothing to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engine.worlds import World

FUNCTION, BUCKET, SUBSCRIPTION = "Function echo-launcher", "Bucket echo-bucket", "Subscription echo-events"
Edit = Callable[[World], None]
EDITS: dict[str, tuple[Edit, dict[str, list[str]]]] = {}


def edit(**expected: list[str]) -> Callable[[Edit], Edit]:
    """What an `up` does after an edit, for those where it is little: the names of resources by operation."""

    def keep(change: Edit) -> Edit:
        EDITS[change.__name__] = change, expected
        return change

    return keep


@edit(update=[FUNCTION])
def function(world: World) -> None:
    asked = {"memory": "1Gi", "cpu": "2", "runtime": "python312", "concurrency": 8, "max_instances": 3}
    world.triggers[0]["function"] = {**asked, "timeout_seconds": 120}


@edit(update=[FUNCTION])
def network(world: World) -> None:
    world.triggers[0]["function"] = {"network": "ml"}


@edit(update=[FUNCTION])
def parameters(world: World) -> None:
    world.triggers[0]["parameters"] = {"filename": "object.name"}


@edit(update=[FUNCTION])
def experiment(world: World) -> None:
    world.triggers[0]["target"]["experiment"] = "other"


@edit(update=[FUNCTION], create=["BucketIAMMember echo-bucket/storage.objectViewer/app-engine"])
def content(world: World) -> None:
    world.triggers[0]["when"] = "content.complete == `true`"


@edit(update=[FUNCTION], replace=["Notification echo-new-objects"])
def prefix(world: World) -> None:
    world.triggers[0]["source"]["prefix"] = "landing/"


@edit(update=[BUCKET])
def soft_delete(world: World) -> None:
    world.triggers[0]["source"]["soft_delete_days"] = 14


@edit(update=[SUBSCRIPTION])
def attempts(world: World) -> None:
    world.triggers[0]["delivery"] = {"attempts": 20, "retention_days": 3}


@edit(update=["Bucket launch-ledger"])
def ledger_days(world: World) -> None:
    world.config["event-triggered-pipelines:ledger_days"] = 120


@edit(
    create=["IAMMember project/viewer/app-engine"],
    delete=["IAMMember compute-default/viewer/app-engine"],
)
def access(world: World) -> None:
    world.triggers[0]["target"]["access"] = "project-viewer"


@edit()
def identity(world: World) -> None:
    world.triggers[0]["identity"] = "dedicated"


@edit()
def a_second_trigger(world: World) -> None:
    world.triggers.append(
        {
            "name": "messages",
            "source": {"kind": "pubsub"},
            "pipeline": "echo",
            "parameters": {"filename": "message.id"},
            "target": world.triggers[0]["target"],
            "identity": "dedicated",
        }
    )


@edit()
def another_name(world: World) -> None:
    world.triggers[0]["name"] = "renamed"


@pytest.mark.parametrize("name", EDITS)
def test_after_an_edit_and_an_up_a_preview_is_empty(standing: World, name: str) -> None:
    change, expected = EDITS[name]
    change(standing)
    changed = standing.changed()
    assert changed
    assert not expected or changed == expected
    assert standing.changes() == {}
