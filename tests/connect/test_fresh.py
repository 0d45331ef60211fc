"""A client keeps working when its tokens end: one refresh for each, from any number of threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kfp_connect import Client, connect, tokens
from kfp_connect.credentials import GivenToken
from kfp_connect.tokens import Tokens
from tests.conftest import Clock
from tests.connect.conftest import AUDIENCE, LIFETIME, PERSON, RUNS, RUNTIME, Cloud

THREADS, LIFETIMES = 16, 8
Setup = Callable[[Cloud], dict[str, Any]]
Count = Callable[[Cloud], int]


def person(cloud: Cloud) -> dict[str, Any]:
    cloud.sign_in()
    return {"credentials": "default"}


def metadata(cloud: Cloud) -> dict[str, Any]:
    return {"credentials": "metadata"}


def key_file(cloud: Cloud) -> dict[str, Any]:
    return {"credentials": "key-file", "key_file": cloud.key_file()}


def acting_person(cloud: Cloud) -> dict[str, Any]:
    cloud.sign_in()
    cloud.may_act.add((PERSON, RUNS))
    return {"credentials": "impersonate", "account": RUNS}


def acting_runtime(cloud: Cloud) -> dict[str, Any]:
    cloud.may_act.add((RUNTIME, RUNS))
    return {"credentials": "impersonate", "account": RUNS, "source": "metadata"}


def grants(cloud: Cloud) -> int:
    return cloud.oauth.grants


def asked(path: str) -> Count:
    def count(cloud: Cloud) -> int:
        return sum(wire.count(method, path) for wire in (cloud.metadata, cloud.iam) for method in ("GET", "POST"))

    return count


ACCESS = [
    (person, grants),
    (metadata, asked("/default/token")),
    (key_file, grants),
    (acting_person, asked(":generateAccessToken")),
    (acting_runtime, asked(":generateAccessToken")),
]
IDENTITY = [
    (metadata, asked("/default/identity")),
    (key_file, grants),
    (acting_person, asked(":generateIdToken")),
]


def work(client: Client, pool: ThreadPoolExecutor) -> None:
    """All threads use the client at once, twice each."""
    for answer in pool.map(lambda _: client.list_experiments(), range(THREADS * 2)):
        assert answer is not None


def live_on(client: Client, cloud: Cloud, count: Count) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for life in range(1, LIFETIMES):
            work(client, pool)
            assert count(cloud) == life
            cloud.clock.now += LIFETIME
        work(client, pool)
        assert count(cloud) == LIFETIMES


@pytest.mark.parametrize(("setup", "count"), ACCESS)
def test_sixteen_threads_outlive_many_access_tokens(cloud: Cloud, setup: Setup, count: Count) -> None:
    live_on(connect(cloud.url, **setup(cloud)), cloud, count)


@pytest.mark.parametrize(("setup", "count"), IDENTITY)
def test_sixteen_threads_outlive_many_id_tokens(cloud: Cloud, setup: Setup, count: Count) -> None:
    live_on(connect(cloud.iap_url, audience=AUDIENCE, **setup(cloud)), cloud, count)


def test_a_token_that_is_revoked_before_its_time_is_renewed_once(cloud: Cloud) -> None:
    client = connect(cloud.url, **key_file(cloud))
    with ThreadPoolExecutor(THREADS) as pool:
        for revoked in range(1, LIFETIMES):
            cloud.revoke_all()
            work(client, pool)
            assert cloud.oauth.grants == 1 + revoked


def test_a_request_that_changes_something_is_sent_again_only_when_it_was_refused(cloud: Cloud) -> None:
    client = connect(cloud.url, **key_file(cloud))
    cloud.revoke_all()
    client.create_experiment("mine")
    assert [each.display_name for each in client.list_experiments().experiments] == ["mine"]


class Brief(GivenToken):
    """Credentials whose tokens last ``lifetime`` seconds."""

    def __init__(self, clock: Clock, lifetime: float) -> None:
        super().__init__("")
        self.clock, self.lifetime, self.refreshes = clock, lifetime, 0

    def refresh(self, request: Any) -> None:
        self.refreshes += 1
        self.token = f"token {self.refreshes}"
        self.expiry = Clock(self.clock.now + self.lifetime).utc()


@pytest.mark.parametrize(("lifetime", "kept"), [(4, 2.9), (60, 44), (3600, 3359)])
def test_a_token_is_used_for_most_of_its_life_and_never_after_it(
    monkeypatch: pytest.MonkeyPatch, lifetime: float, kept: float
) -> None:
    clock = Clock()
    monkeypatch.setattr(tokens, "now", clock.utc)
    credentials = Brief(clock, lifetime)
    fresh = Tokens(credentials, None)  # type: ignore[arg-type]  # these need no request
    first = fresh.get()
    clock.now += kept
    assert fresh.get() == first
    clock.now += lifetime - kept
    assert fresh.get() != first
    assert credentials.refreshes == 2
