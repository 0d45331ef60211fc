"""Each launcher keeps its own trigger's records, and no other's."""

import json
import re
from typing import Any

import pytest

from function_src.launcher.http import Api
from function_src.launcher.ledger import Ledger
from rehearsal.program import Plan, evaluate
from tests.plans import TRIGGERS, dev_config, plan

KEY = "0f0e"


@pytest.fixture(scope="module")
def two() -> Plan:
    """A stack with two triggers: one whose name begins like the other's."""
    config = dev_config(identity="dedicated")
    [trigger] = json.loads(config[TRIGGERS])
    return evaluate("dev", {**config, TRIGGERS: json.dumps([trigger, {**trigger, "name": "echo-2"}])})


def may(plan: Plan, trigger: str, name: str) -> set[str]:
    """The roles that a trigger's launcher has for an object of the ledger, by the conditions of its grants."""
    account = plan.named(f"{trigger}-launcher", ":Account").outputs["email"]
    ledger = plan.exports["ledger"]
    resource = f"projects/_/buckets/{ledger}/objects/{name}"
    roles = set()
    for grant in plan.of_type(":BucketIAMMember"):
        if grant.inputs["member"] == f"serviceAccount:{account}" and grant.inputs["bucket"] == ledger:
            starts = re.findall(r'resource\.name\.startsWith\("([^"]*)"\)', str(grant.inputs.get("condition", "")))
            if not starts or resource.startswith(tuple(starts)):
                roles.add(grant.inputs["role"])
    return roles


def names_of(trigger: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The objects that a trigger's ledger writes, reads and deletes, whatever it is asked for."""
    ledger, names = Ledger(Api("http://localhost", None, 1), "b", trigger, 300), set()
    name = ledger._name

    def named(kind: str, key: str) -> str:
        names.add(name(kind, key))
        return name(kind, key)

    monkeypatch.setattr(ledger, "_name", named)
    monkeypatch.setattr(ledger, "_send", refuse)
    for ask in (ledger.claim, ledger.mark):
        with pytest.raises(LookupError):
            ask(KEY, "event")
    asks: list[Any] = [lambda: ledger.outcome(KEY), lambda: ledger.record(KEY, {}), lambda: ledger.keep(KEY, b"")]
    for ask in asks:
        with pytest.raises(LookupError):
            ask()
    return names


def refuse(*_: Any, **__: Any) -> Any:
    raise LookupError


@pytest.mark.parametrize(("trigger", "other"), [("echo", "echo-2"), ("echo-2", "echo")])
def test_a_launcher_may_keep_every_record_of_its_own_trigger_and_none_of_another(
    two: Plan, trigger: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = names_of(trigger, monkeypatch)
    assert {name.split("/")[0] for name in names} == {"claims", "outcomes", "rejected"}
    for name in names:
        assert "roles/storage.objectUser" in may(two, trigger, name)
        assert may(two, other, name) == {"roles/storage.legacyBucketReader"}


def test_a_launcher_has_no_say_in_what_the_fences_of_its_runs_note(two: Plan) -> None:
    assert may(two, "echo", f"started/echo/{KEY}") == {"roles/storage.legacyBucketReader"}


def test_whoever_keeps_records_may_list_them_and_so_is_told_that_one_is_not_there(two: Plan) -> None:
    assert "roles/storage.legacyBucketReader" in may(two, "echo", "anything")


def test_a_launcher_keeps_whose_a_value_is_where_its_trigger_has_once_per() -> None:
    having = plan(once_per="object.md5_hash", identity="dedicated")
    assert "roles/storage.objectUser" in may(having, "echo", "once/echo/0f")
    assert may(having, "echo", "once/other/0f") == {"roles/storage.legacyBucketReader"}
    assert may(plan(identity="dedicated"), "echo", "once/echo/0f") == {"roles/storage.legacyBucketReader"}


def test_only_a_trigger_with_once_per_says_so_to_its_launcher() -> None:
    def said(of: Plan) -> set[str]:
        [function] = of.of_type(":Function")
        return set(json.loads(function.inputs["serviceConfig"]["environmentVariables"]["TRIGGER"]))

    added = said(plan(once_per="object.md5_hash", once_within_days=7)) - said(plan())
    assert added == {"once_per", "once_within_days"}
