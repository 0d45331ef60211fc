"""A stack whose update was killed is put right, by nothing that is not its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ops.deploy import leftovers, pulumi_cli, recover, show
from ops.deploy.aftermath import aftermath
from ops.deploy.events import read_events
from ops.deploy.leftovers import leftovers_of
from ops.deploy.recover import Step, steps_for
from ops.doctor.google_apis import GoogleApis, RefusedError
from ops.doctor.web import Web
from ops.errors import OperationError
from ops.findings import ok
from rehearsal.engine.cloud import Cloud, Thing
from rehearsal.program import read_stack
from tests.engine.test_killed import cancel, killed_at
from tests.engine.worlds import World

COLLECTIONS = {"/subscriptions": ":Subscription", "/functions": ":Function", "/topics": ":Topic"}


class ApisOfCloud(GoogleApis):
    """Google's APIs for what is in a small cloud: by the paths that they document, and nothing else."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(Web(None), cloud.project)
        self._cloud = cloud

    def _call(self, method: str, service: str, path: str, **options: Any) -> Mapping[str, Any]:
        path, _, query = path.partition("?")
        rest = path.removeprefix("/storage/v1/b/").removeprefix("/v1/").removeprefix("/v2/")
        if method == "DELETE":
            self._cloud.things.pop(rest)
            return {}
        if path == "/storage/v1/b":
            assert query == f"project={self.project}"
            return {"items": [self._shown(thing) for thing in self._cloud.of_type(":Bucket")]}
        if rest.endswith("/notificationConfigs"):
            return {"items": [*self._notifications(rest.partition("/")[0])]}
        if rest.endswith("/o"):
            return {"items": [{"name": name} for name in self._cloud.objects.get(rest.removesuffix("/o"), {})]}
        for collection, kind in COLLECTIONS.items():
            if rest.endswith(collection):
                return {collection[1:]: [self._shown(thing) for thing in self._cloud.of_type(kind)]}
        if rest not in self._cloud.things:
            raise RefusedError("it is not there", "", status=404)
        return self._shown(self._cloud.things[rest])

    def _shown(self, thing: Thing) -> Mapping[str, Any]:
        return {**thing.outputs, "name": thing.id}

    def _notifications(self, bucket: str) -> Iterator[Mapping[str, Any]]:
        for thing in self._cloud.of_type(":Notification"):
            if thing.inputs["bucket"] == bucket:
                topic = f"//pubsub.googleapis.com/{thing.inputs['topic']}"
                yield {"id": thing.id.rsplit("/", 1)[-1], "topic": topic}


@pytest.fixture
def killed(new: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A new stack, and its CLI as commands of ours find it."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pulumi").symlink_to(new.cli)
    for name, value in new.workspace.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    for module in (pulumi_cli, leftovers):
        monkeypatch.setattr(module, "ROOT", new.workspace.project)
    monkeypatch.setattr(recover, "find_stack", new.workspace.stack_file)
    return new


def steps(world: World) -> list[Step]:
    return steps_for(*read_stack(str(world.file)), ApisOfCloud(world.cloud))


def done(world: World) -> dict[str, str]:
    """What there is to do, by what is done; the state is as it was."""
    return {step.what: step.done for step in steps(world)}


def put_right(world: World) -> None:
    for step in steps(world):
        if step.do:
            step.do()


def stands_alone(world: World, kind: str) -> bool:
    """What is in the project of a kind is what the state knows of it."""
    known = {resource["id"] for resource in world.resources() if resource["type"].endswith(kind)}
    return {thing.id for thing in world.cloud.of_type(kind)} == known


@pytest.mark.parametrize("kind", [":Account", ":Bucket", ":Notification"])
def test_what_was_made_is_adopted_and_the_next_up_goes_on_with_it(killed: World, kind: str) -> None:
    killed_at(killed, kind)
    assert [*done(killed).values()] == ["cancel", "adopt"]
    put_right(killed)
    assert steps(killed) == []
    killed.up()
    assert stands_alone(killed, kind)
    assert killed.changes() == {}


def test_what_can_be_made_twice_is_forgotten(killed: World) -> None:
    killed_at(killed, ":BucketObject")
    assert [*done(killed).values()] == ["cancel", "forget"]
    put_right(killed)
    assert "interrupted" not in killed.up().said


def test_a_function_that_may_be_half_built_is_built_anew(killed: World) -> None:
    killed_at(killed, ":Function")
    [before] = killed.cloud.of_type(":Function")
    put_right(killed)
    assert killed.changes()["replace"] == ["Function echo-launcher"]
    killed.up()
    [after] = killed.cloud.of_type(":Function")
    assert after.id != before.id


def test_an_account_that_nothing_shows_to_be_the_stack_s_is_left(killed: World) -> None:
    killed_at(killed, ":Account")
    [account] = killed.cloud.of_type(":Account")
    account.inputs["description"] = "somebody else's"
    [_, step] = steps(killed)
    assert (step.done, step.what) == ("leave", "Account build")
    assert "nothing shows that it is this stack's" in step.why
    put_right(killed)
    assert account.id in killed.cloud.things
    assert account.id not in {resource.get("id") for resource in killed.resources()}
    assert leftovers_of(killed.stack) == ""  # so the next `up` is not kept from its work


@pytest.mark.parametrize(("kind", "pending"), [(":Topic", True), (":Notification", True), (":Function", False)])
def test_what_no_state_knows_is_deleted_after_it_was_shown(killed: World, kind: str, *, pending: bool) -> None:
    killed_at(killed, kind)
    cancel(killed)
    killed.up()
    if not pending:
        assert not killed.workspace.run("refresh", "--stack", killed.stack, "--clear-pending-creates").status
    assert not stands_alone(killed, kind)
    assert [*done(killed).values()] == ["delete"]
    put_right(killed)
    assert stands_alone(killed, kind)
    assert killed.changes() == {}


@pytest.mark.parametrize("kind", [":Account", ":Repository"])
def test_a_name_that_every_later_up_would_find_taken_is_free_again(killed: World, kind: str) -> None:
    """What was being made is forgotten by then, so that nothing but its name leads to it."""
    killed_at(killed, kind)
    cancel(killed)
    assert not killed.workspace.run("refresh", "--stack", killed.stack, "--clear-pending-creates").status
    assert "Error 409" in killed.fail()
    assert [*done(killed).values()] == ["delete"]
    put_right(killed)
    killed.up()


def test_a_stranger_s_name_and_a_repository_with_images_are_left_and_named(killed: World) -> None:
    killed.up()
    before = dict(killed.cloud.things)
    in_another_state(killed)
    killed.cloud.things.clear()
    for thing in before.values():
        if thing.type.endswith((":Account", ":Repository")):
            killed.cloud.things[thing.id] = thing
    theirs = next(thing for thing in killed.cloud.of_type(":Account") if "dev-build@" in thing.id)
    theirs.inputs["description"] = "somebody else's"
    [repository] = killed.cloud.of_type(":Repository")
    repository.computed["sizeBytes"] = "52428800"
    assert done(killed) == {"Account build": "leave", "Repository launchers": "leave", "Account echo-push": "delete"}


def test_a_bucket_that_holds_files_is_left(killed: World) -> None:
    killed_at(killed, ":Bucket")
    cancel(killed)
    [orphan] = killed.cloud.of_type(":Bucket")
    killed.up()
    killed.cloud.objects[orphan.id] = {"incoming/a.csv": 1}
    assert [*done(killed).values()] == ["leave"]
    put_right(killed)
    assert orphan.id in killed.cloud.things
    assert leftovers_of(killed.stack) == ""


def in_another_state(world: World) -> None:
    """The same stack file, on a machine that keeps its own state: what is made there, nothing knows here."""
    world.workspace.state.rename(world.folder / "elsewhere")
    world.workspace.state.mkdir()
    assert not world.workspace.run("stack", "init", world.stack).status


def test_what_a_stack_of_that_name_in_another_state_made_is_left(killed: World) -> None:
    """An `up` there finds the accounts taken, and says to recover: nothing may be taken from the one that works."""
    killed.up()
    theirs = dict(killed.cloud.things)
    in_another_state(killed)
    assert "Error 409" in killed.fail()
    assert {step.done for step in steps(killed)} == {"leave"}
    assert any("launch-ledger-" in step.why and "another state's, at work" in step.why for step in steps(killed))
    put_right(killed)
    assert theirs.items() <= killed.cloud.things.items()


def test_what_was_being_made_and_is_there_may_be_another_state_s_too(killed: World) -> None:
    killed.up()
    [ledger] = [thing for thing in killed.cloud.of_type(":Bucket") if thing.id.startswith("launch-ledger-")]
    theirs = next(thing for thing in killed.cloud.of_type(":Account") if "dev-build@" in thing.id)
    in_another_state(killed)
    del killed.cloud.things[theirs.id]
    killed_at(killed, ":Account")
    assert set(done(killed).values()) == {"cancel", "leave"}
    ledger.inputs.pop("labels")  # as the command says that gives it up
    assert done(killed)["Account build"] == "adopt"


def test_what_may_not_be_looked_at_keeps_no_lock_from_being_lifted(
    killed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at(killed, ":Topic")
    call = ApisOfCloud._call

    def forbid(apis: ApisOfCloud, method: str, service: str, path: str, **options: Any) -> Mapping[str, Any]:
        if service == "pubsub":
            raise RefusedError("pubsub.googleapis.com forbids it", "ask for roles/pubsub.viewer", status=403)
        return call(apis, method, service, path, **options)

    monkeypatch.setattr(ApisOfCloud, "_call", forbid)
    assert [step.done for step in steps(killed)] == ["cancel", "leave", "leave", "leave"]
    assert all("ask for roles/pubsub.viewer" in step.why for step in steps(killed)[1:])
    put_right(killed)
    assert not list(leftovers.locks_of(killed.stack))


def test_a_lock_of_another_machine_is_lifted_by_nobody_unasked(
    killed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at(killed, ":Topic")
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    assert "on another machine, where it may be at work" in leftovers_of(killed.stack)
    monkeypatch.setattr(show, "check_cli", lambda: ok("Pulumi CLI", "it is there"))
    monkeypatch.setattr(show, "_apis", lambda _: ApisOfCloud(killed.cloud))
    monkeypatch.setattr(show, "read_stack", lambda _: read_stack(str(killed.file)))
    with pytest.raises(OperationError, match="make sure there that it is gone; then run it again without --yes"):
        show.show_recovery(killed.stack, Console(), yes=True, as_json=False)
    assert list(leftovers.locks_of(killed.stack))


def test_a_ctrl_c_leaves_nothing_to_put_right_and_the_next_up_goes_on(killed: World, tmp_path: Path) -> None:
    log = tmp_path / "events"
    killed.workspace.environment["PULUMI_DEBUG_COMMANDS"] = "true"
    command = ("up", "--stack", killed.stack, "--skip-preview", "--parallel", "1", "--event-log", str(log))
    with killed.workspace.running(*command) as engine:
        killed.cloud.interrupts[":Topic"] = lambda: engine.send_signal(signal.SIGINT)
        engine.communicate()
    said = aftermath("up", killed.stack, engine.returncode, read_events(log))
    assert said == "`pulumi up` of stack dev was ended before it was done; make up STACK=dev goes on."
    assert leftovers_of(killed.stack) == ""
    assert steps(killed) == []
    killed.up()


def test_what_merely_bears_a_label_of_that_name_is_nobody_s_business(killed: World) -> None:
    killed.up()
    theirs = Thing(
        "gcp:pubsub/topic:Topic", "projects/acme-ml-dev/topics/theirs", {"labels": {"stack": "dev"}}, {}, 0
    )
    killed.cloud.things[theirs.id] = theirs
    assert steps(killed) == []


def test_an_up_says_what_was_left_and_how_to_look(killed: World) -> None:
    killed_at(killed, ":Topic")
    said = leftovers_of(killed.stack)
    assert "the lock of " in said
    assert ", gone, since " in said
    assert "half-made, perhaps: echo-events" in said
    put_right(killed)
    assert leftovers_of(killed.stack) == ""


def test_while_an_update_is_at_work_nothing_is_touched(killed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_at(killed, ":Topic")
    monkeypatch.setattr(leftovers, "_is_alive", lambda _: True)
    with pytest.raises(OperationError, match="at work"):
        steps(killed)
    assert leftovers_of(killed.stack) == ""
