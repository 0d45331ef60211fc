"""Objects that tools make for their own ends start no run, unless somebody means them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_src.launcher.event import read_event
from function_src.launcher.mapping.glob import Glob
from function_src.launcher.objects import FOLDERS, TEMPORARY, UPLOADS, asked_for, made_by_a_tool, read_resource
from function_src.launcher.sources import GcsSource
from tests.launcher.deliveries import OBJECT, TRIGGER_ID, message, push

KINDS = {FOLDERS: "placeholder", UPLOADS: "piece of an upload", TEMPORARY: "still writing"}
MADE_BY_TOOLS = [
    (FOLDERS, "incoming/", 0),
    (FOLDERS, "a/b c/", 0),
    (FOLDERS, "incoming/2026-11-25_$folder$", 0),
    (UPLOADS, "gcloud/tmp/parallel_composite_uploads/see_gcloud_storage_cp_help_for_info/7a_rows.csv_0", 9),
    (UPLOADS, "gsutil/tmp/parallel_composite_uploads/for_details_see/gsutil_help_cp/3d_1", 9),
    (UPLOADS, "incoming/tmp/parallel_composite_uploads/x_0", 9),
    (UPLOADS, ".gcsfuse_tmp/7a", 9),
    (UPLOADS, "in/3uBNdQ2Tkn;a91c;0001-0032.part", 9),
    (TEMPORARY, "out/_temporary/0/_temporary/attempt_1/part-0", 9),
    (TEMPORARY, "_temporary/0/part-0", 9),
    (TEMPORARY, "out/.spark-staging-7a/part-0", 9),
    (TEMPORARY, "out/.hive-staging_hive_2026-11-25_1/part-0", 9),
    (TEMPORARY, "tmp/.temp-beam-2026/7a", 9),
    (TEMPORARY, "out/rows.csv._COPYING_", 9),
    (TEMPORARY, "out/rows.csv.tmp", 9),
    (TEMPORARY, "out/_started_123", 0),
    (TEMPORARY, "out/_committed_123", 113),
    (TEMPORARY, ".inprogress/bucket/rows/7a", 9),
]
MEANT = [
    ("incoming/", 12),  # it has something in it
    ("incoming/_SUCCESS", 0),
    ("incoming/empty.csv", 0),
    ("incoming/tmp/rows.csv", 9),
    ("parallel_composite_uploads/rows.csv", 9),
    ("incoming/_metadata", 9),
    ("incoming/my_temporary/rows.csv", 9),
    ("incoming/_temporary.csv", 9),
    ("incoming/_committed_orders.csv", 9),
    ("incoming/rows.tmp.csv", 9),
    ("incoming/tmp", 9),
    ("incoming/1-2.part", 9),
    ("incoming/$folder$.csv", 9),
]


def found(name: str, size: int) -> dict[str, Any]:
    return read_resource({**OBJECT, "name": name, "size": str(size)})


@pytest.mark.parametrize(("kind", "name", "size"), MADE_BY_TOOLS)
def test_what_a_tool_makes_for_its_own_ends_is_passed_over_in_words(kind: str, name: str, size: int) -> None:
    assert KINDS[kind] in str(made_by_a_tool(found(name, size), frozenset()))
    others = frozenset(KINDS) - {kind}
    assert KINDS[kind] in str(made_by_a_tool(found(name, size), others))
    assert made_by_a_tool(found(name, size), frozenset({kind})) is None


@pytest.mark.parametrize(("name", "size"), MEANT)
def test_what_somebody_may_mean_is_an_event(name: str, size: int) -> None:
    assert made_by_a_tool(found(name, size), frozenset()) is None


def test_an_object_whose_size_nobody_told_is_no_placeholder() -> None:
    assert made_by_a_tool(read_resource({**OBJECT, "name": "a/", "size": None}), frozenset()) is None


@pytest.mark.parametrize(
    ("prefix", "glob", "kinds"),
    [
        ("", None, set()),
        ("incoming/", "**/*.csv", set()),
        ("incoming/", "**/*.tmp", {TEMPORARY}),
        ("out/_temporary/", None, {TEMPORARY}),
        ("gsutil/tmp/parallel_composite_uploads/", None, {UPLOADS}),
        ("incoming/", "incoming/*/", {FOLDERS}),
        ("", "**/*_$folder$", {FOLDERS}),
    ],
)
def test_a_prefix_or_a_glob_that_names_them_means_them(prefix: str, glob: str | None, kinds: set[str]) -> None:
    assert asked_for(prefix, glob) == kinds


def test_the_source_says_why_it_passes_an_object_over_and_takes_those_that_it_includes() -> None:
    delivery = push({**OBJECT, "name": "incoming/rows.csv.tmp"})
    plain, including = GcsSource("acme-incoming", ""), GcsSource("acme-incoming", "", None, frozenset({TEMPORARY}))
    event = read_event(TRIGGER_ID, plain, *delivery)
    assert plain.check(event.document) == "it is a file that a tool is still writing, or makes for itself"
    assert including.check(event.document) is None


@pytest.mark.parametrize(
    ("name", "folder", "stem"),
    [
        ("a/b/rows.csv", "a/b", "rows"),
        ("rows.csv", "", "rows"),
        ("rows", "", "rows"),
        ("a/rows.tar.gz", "a", "rows.tar"),
        ("a/.hidden", "a", ".hidden"),
        ("a/b/", "a/b", ""),
        ("a.b/c", "a.b", "c"),
        ("a/rows.", "a", "rows"),
    ],
)
def test_a_name_has_a_folder_and_a_stem(name: str, folder: str, stem: str) -> None:
    assert (found(name, 1)["folder"], found(name, 1)["stem"]) == (folder, stem)


@given(name=st.text(min_size=1))
def test_folder_and_stem_are_parts_of_any_name(name: str) -> None:
    try:
        read = found(name, 1)
    except ValueError:
        return
    assert name.startswith(read["folder"])
    assert read["stem"] in name
    assert "/" not in read["stem"]


# --- on a topic that was there before -----------------------------------------------------------------------------

THERE = GcsSource("acme-incoming", "incoming/", Glob("**/*.csv"), topic="projects/p/topics/t", trigger_id=TRIGGER_ID)


def check(resource: dict[str, Any], **attributes: str) -> tuple[str, str | None]:
    """The launch key of an announcement, and why it is passed over."""
    body = json.dumps(message(json.dumps(resource).encode(), "1", **attributes)).encode()
    event = read_event(TRIGGER_ID, THERE, {}, body)
    return event.key, THERE.check(event.document)


def test_an_object_that_is_announced_twice_on_a_topic_is_one_event_and_the_same_as_by_a_notification() -> None:
    own = read_event(TRIGGER_ID, GcsSource("acme-incoming", "incoming/"), *push(OBJECT)).key
    announced = [check(dict(OBJECT), notificationConfig=number) for number in "12"]
    assert announced == [(own, None), (own, None)]


@pytest.mark.parametrize(
    ("change", "attributes", "why"),
    [
        ({"bucket": "acme-other"}, {}, "it is not in gs://acme-incoming/incoming/"),
        ({"name": "out/a.csv"}, {}, "it is not in gs://acme-incoming/incoming/"),
        ({}, {"eventType": "OBJECT_DELETE"}, "its eventType is 'OBJECT_DELETE'"),
        ({}, {"launch-for": "acme-ml-dev/dev/other"}, "it was published again for 'acme-ml-dev/dev/other'"),
    ],
    ids=str,
)
def test_what_else_a_topic_carries_is_passed_over(
    change: dict[str, str], attributes: dict[str, str], why: str
) -> None:
    assert check({**OBJECT, **change}, **attributes)[1] == why


def test_a_notification_without_a_payload_says_in_its_attributes_which_object_it_is() -> None:
    told = {"bucketId": "acme-incoming", "objectId": "incoming/orders 7.csv", "objectGeneration": "1712345678901234"}
    body = message(b"", "1", payloadFormat="NONE", eventType="OBJECT_FINALIZE", **told)
    event = read_event(TRIGGER_ID, THERE, {}, json.dumps(body).encode())
    assert event.key == read_event(TRIGGER_ID, THERE, *push(OBJECT)).key
    assert (event.object["uri"], event.object["size"]) == ("gs://acme-incoming/incoming/orders 7.csv", None)
    assert THERE.check(event.document) is None
