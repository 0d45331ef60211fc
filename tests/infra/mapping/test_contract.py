"""A trigger is checked against its pipeline at preview, by the code that runs in the function."""

from collections.abc import Mapping
from typing import Any

import jmespath
import jmespath.exceptions
import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_src.launcher.event import read_event
from function_src.launcher.mapping.condition import holds, read_condition
from function_src.launcher.mapping.expression import BadMappingError, UnmappableError
from function_src.launcher.mapping.fitting import show
from function_src.launcher.mapping.parameters import read_parameter, run_parameters
from function_src.launcher.package import Input
from function_src.launcher.sources import GcsSource
from infra.check import check_stack
from infra.errors import ConfigurationError
from infra.mapping.contract import check_condition, check_parameters
from infra.mapping.documents import DOCUMENTS, OBJECT, document_of
from tests.infra.configuration.test_settings import refusal
from tests.launcher.deliveries import push
from tests.launcher.test_parameters import expressions, values
from tests.plans import TRIGGERS, dev_config, plan

INPUTS = {
    "uri": Input("STRING", required=True),
    "rows": Input("NUMBER_INTEGER", required=False),
    "ratio": Input("NUMBER_DOUBLE", required=False),
    "tags": Input("LIST", required=False),
    "labels": Input("STRUCT", required=False),
    "fast": Input("BOOLEAN", required=False),
    "mode": Input("STRING", required=False, literals=("a", "b")),
}


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"filname": "object.uri"}, ".filname: the pipeline has no such parameter; did you mean filename?"),
        ({}, ": the pipeline requires 'filename' (STRING) and nothing maps it; add filename: EXPRESSION"),
        ({"filename": "object..uri"}, ".filename: parameter 'filename': 'object..uri' is not JMESPath: '.' at"),
        (
            {"filename": "object.url"},
            ".filename: object.url does not exist; did you mean object.uri? object has: uri, b",
        ),
        (
            {"filename": "objekt.uri"},
            ".filename: objekt.uri does not exist; did you mean object.uri? the event has: ob",
        ),
        ({"filename": "object.owner"}, ".filename: object.owner does not exist; object has: uri, bucket, name"),
        ({"filename": "object.size"}, ".filename: object.size is a number, which never fits STRING"),
        ({"filename": 3}, ".filename: parameter 'filename' is 3; write an expression, {from: EXPRESSION"),
        ({"filename": {"value": 3}}, ".filename: parameter 'filename' is 3, which is no STRING"),
        (
            {"filename": {"from": "object.uri", "default": 3}},
            ".filename: parameter 'filename' is 3, which is no STRIN",
        ),
        (
            {"filename": {"form": "a"}},
            '.filename: parameter \'filename\' is {"form": "a"}; write an expression, {from:',
        ),
        ({"filename": "object.uri || object.urn"}, ".filename: object.urn does not exist; did you mean object.uri?"),
        (
            {"filename": "join('/', [object.bucket, evnt.id])"},
            ".filename: evnt.id does not exist; did you mean event.id?",
        ),
        ({"filename": "object.uri.name"}, ".filename: object.uri.name does not exist; object.uri is text"),
        (
            {"filename": "object.size.bytes || 'a'"},
            ".filename: object.size.bytes does not exist; object.size is a num",
        ),
        (
            {"filename": "title(object.uri)"},
            ".filename: parameter 'filename': 'title(object.uri)': there is no fun",
        ),
        ({"filename": "length()"}, ".filename: parameter 'filename': 'length()': length() takes 1 argument, not 0"),
        (
            {"filename": "join('/', object.uri)"},
            ".filename: \"join('/', object.uri)\": join() takes a list of text, not",
        ),
        (
            {"filename": "to_string(abs(object.uri))"},
            ".filename: 'to_string(abs(object.uri))': abs() takes a number, not text",
        ),
        ({"filename": {"value": None}}, ".filename: the event gives no value for parameter 'filename', which the"),
        (
            {"filename": "'[[RunUUID]]'"},
            ".filename: parameter 'filename' holds '[[RunUUID', which KFP's server would",
        ),
        (
            {"filename": {"value": "a$$b"}},
            ".filename: parameter 'filename' holds '$$', which Kubernetes would expand",
        ),
        (
            {"filename": {"value": "[[RunUUID]] of $(KFP_POD_NAME)"}},
            ".filename: parameter 'filename' holds '$(KFP_POD_NAME)', which Kubernetes would expand",
        ),
        (
            {"filename": {"from": "content.a", "default": "{{workflow.name}}"}},
            ".filename: parameter 'filename' holds '{{', which Argo would expand",
        ),
        ({"filename": "`3`"}, ".filename: parameter 'filename' is 3, which is no STRING"),
        (
            {"filename": "`null`"},
            ".filename: the event gives no value for parameter 'filename', which the pipeline req",
        ),
    ],
)
def test_a_mapping_that_does_not_fit_the_pipeline(parameters: dict[str, Any], expected: str) -> None:
    assert f"{TRIGGERS}[0].parameters{expected}" in refusal(dev_config(parameters=parameters))


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("object..uri", "when: 'object..uri' is not JMESPath: '.' at character 8 does not belong there"),
        ("object.url == 'a'", "object.url does not exist; did you mean object.uri? object has: uri, bucket, name"),
        (
            "content.a && objekt.uri == 'a'",
            "objekt.uri does not exist; did you mean object.uri? the event has: object, message",
        ),
        ("matches(object.name, 'a')", "when: \"matches(object.name, 'a')\": there is no function matches()"),
        ("starts_with(object.name)", "when: 'starts_with(object.name)': starts_with() takes 2 arguments, not 1"),
        (
            "starts_with(object.size, '1')",
            "\"starts_with(object.size, '1')\": starts_with() takes text, not a number",
        ),
        ("sum(lines) > `1`", "'sum(lines) > `1`': sum() takes a list of numbers, not text"),
        ("object.uri", "'object.uri' is text, which is neither true nor false; compare it with something"),
        ("object.size", "'object.size' is a number, which is neither true nor false"),
        ("object.metadata", "'object.metadata' is a map, which is neither true nor false"),
        ("event", "'event' is a map, which is neither true nor false"),
        ("lines", "'lines' is a list, which is neither true nor false"),
        ("'false'", "\"'false'\" is text, which is neither true nor false"),
        ("to_string(object.size)", "'to_string(object.size)' is text, which is neither true nor false"),
        ("length(lines)", "'length(lines)' is a number, which is neither true nor false"),
        (True, "is true, which is no text; write it in quotes"),
        ("", "when: '' is not JMESPath: it is empty"),
    ],
)
def test_a_predicate_that_no_event_can_decide(when: Any, expected: str) -> None:
    assert refusal(dev_config(when=when)).startswith(f"{TRIGGERS}[0].when: {expected}")


@pytest.mark.parametrize(
    ("when", "read"),
    [
        (None, False),
        ("ends_with(object.name, '.json')", False),
        ("object.size > `0` && object.content_type != 'text/html'", False),
        ("object.metadata.ready == 'true'", False),
        ("to_number(object.content_type) > `1`", False),
        ("content.ready", True),
        ("object.size > content.size", True),
        ("length(lines) > `1`", True),
        ("records[0].ready", True),
        ("rows[0].region == 'eu' && length(rows) > `1`", True),
        ("length(rows[?region == 'eu']) > `0`", True),
        ("`true`", False),
    ],
)
def test_a_predicate_that_can_be_true_or_false_passes_and_says_whether_it_reads_content(
    when: str | None, read: bool
) -> None:
    assert check_condition("when", when, DOCUMENTS["gcs"]) is read


@pytest.mark.parametrize(
    ("once_per", "problem"),
    [
        ("object.md5", "object.md5 does not exist; object has: "),
        ("'all'", "\"'all'\" is the same for every event, so that only the first would ever be launched"),
        ("content.", "'content.' is not JMESPath: it breaks off at its end"),
        ("object.name[0]", "object.name is text, and an index takes a part of a list"),
    ],
)
def test_a_value_that_can_tell_no_events_apart_is_refused(once_per: str, problem: str) -> None:
    assert f"{TRIGGERS}[0].once_per: " in (said := refusal(dev_config(once_per=once_per)))
    assert problem in said


def test_a_value_in_the_file_lets_the_launcher_read_it() -> None:
    readers = [
        [grant for grant in plan(once_per=text).of_type(":BucketIAMMember") if "objectViewer" in grant.inputs["role"]]
        for text in ("object.md5_hash", "content.order")
    ]
    assert [len(found) for found in readers] == [0, 1]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"once_within_days": 7}, "is 7, and there is no once_per; add the expression, or leave it out"),
        (
            {"once_per": "object.md5_hash", "once_within_days": 94},
            "is 94, and the ledger forgets after 93 days; use at most that, or raise ledger_days",
        ),
    ],
)
def test_a_value_is_remembered_no_longer_than_the_ledger_remembers(changes: dict[str, Any], problem: str) -> None:
    assert f"{TRIGGERS}[0].once_within_days: {problem}" in refusal(dev_config(**changes))


def test_a_predicate_on_the_file_lets_the_launcher_read_it() -> None:
    readers = [
        [grant for grant in plan(when=when).of_type(":BucketIAMMember") if "objectViewer" in grant.inputs["role"]]
        for when in ("object.size > `1`", "content.ready")
    ]
    assert [len(found) for found in readers] == [0, 1]


def test_the_problems_of_predicate_and_parameters_are_said_at_once() -> None:
    text = refusal(dev_config(when="object.uri", parameters={"filename": "object.url"}))
    assert [line.split(": ")[0].strip() for line in text.splitlines()] == [
        f"{TRIGGERS}[0].parameters.filename",
        f"{TRIGGERS}[0].when",
    ]


@pytest.mark.parametrize(
    "parameters",
    [
        {"rows": "object.uri"},
        {"tags": "object.metadata"},
        {"labels": "lines"},
        {"fast": "object.size"},
        {"ratio": "event.time"},
        {"rows": {"from": "content.rows", "default": 2.5}},
        {"mode": {"value": "c"}},
    ],
)
def test_a_type_that_can_never_fit(parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=rf"^p\.{next(iter(parameters))}: "):
        check_parameters("p", {"uri": "object.uri", **parameters}, INPUTS, DOCUMENTS["gcs"], "kfp")


@pytest.mark.parametrize(
    ("parameters", "reads_content"),
    [
        ({"rows": "object.size", "ratio": "object.size"}, False),
        ({"rows": "object.generation"}, False),
        ({"mode": {"value": "a"}, "fast": {"value": True}}, False),
        ({"uri": "join('/', [object.bucket, object.name])"}, False),
        ({"labels": "object.metadata", "mode": "object.metadata.mode"}, False),
        ({"rows": {"from": "content.rows", "default": 3}}, True),
        ({"tags": "lines"}, True),
        ({"tags": "records"}, True),
        ({"tags": "rows[*].region", "rows": "rows[0].size"}, True),
    ],
)
def test_a_mapping_that_can_fit_passes_and_says_whether_it_reads_content(
    parameters: dict[str, Any], reads_content: bool
) -> None:
    assert (
        check_parameters("p", {"uri": "object.uri", **parameters}, INPUTS, DOCUMENTS["gcs"], "kfp") is reads_content
    )


@pytest.mark.parametrize(
    ("kind", "expression", "problem"),
    [
        ("schedule", "object.uri", "object.uri does not exist; the event has: message, event"),
        ("pubsub", "join('/', [object.bucket, event.id])", "object.bucket does not exist; the event has: message"),
        ("log", "object.uri || log.insertId", "object.uri does not exist; the event has: log, message"),
        ("gcs", "log.insertId", "log.insertId does not exist; the event has: object"),
        (
            "log",
            "log.protopayload.methodName",
            "log.protopayload.methodName does not exist; did you mean log.protoPayload",
        ),
        ("log", "log.resource.label", "log.resource.label does not exist; did you mean log.resource.labels?"),
        (
            "pubsub",
            "message.body",
            "message.body does not exist; message has: id, data, attributes, ordering_key, publish_time",
        ),
    ],
)
def test_an_expression_on_what_the_source_s_events_do_not_have(kind: str, expression: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_parameters("p", {"uri": expression}, INPUTS, DOCUMENTS[kind], "kfp")
    assert f"p.uri: {problem}" in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "expression"),
    [
        ("pubsub", "message.attributes.uri"),
        ("pubsub", "content.order.uri"),
        ("log", "log.protoPayload.metadata.jobChange.job.jobName"),
        ("log", 'log.protoPayload."@type"'),
        ("log", "log.somethingNew"),
        ("log", "log.jsonPayload.message"),
        ("schedule", "content.days"),
        ("schedule", "event.time"),
        ("schedule", "to_string(@)"),
        ("schedule", "join('', ['a', event.time])"),
    ],
)
def test_an_expression_on_what_the_source_s_events_have(kind: str, expression: str) -> None:
    check_parameters("p", {"uri": expression}, INPUTS, DOCUMENTS[kind], "kfp")


GLOB = "sales/dt={day:date}/{n:int}/{region}.csv"


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("path.regoin", "path.regoin does not exist; did you mean path.region? path has: day, n, region"),
        ("path.n == 'a'", "path.n is a number and 'a' is text: they are never equal"),
        ("path.day[0]", "path.day is"),
    ],
)
def test_what_a_glob_captures_is_known_at_preview(expression: str, problem: str) -> None:
    document = document_of("gcs", glob=GLOB)
    check_parameters("p", {"uri": "join('-', [path.day, path.region])"}, INPUTS, document, "kfp")
    check_condition("w", "path.n > `3`", document)
    with pytest.raises(ConfigurationError) as refused:
        check_parameters("p", {"uri": f"to_string({expression})"}, INPUTS, document, "kfp")
    assert problem in str(refused.value)


def test_without_a_capture_there_is_no_path() -> None:
    with pytest.raises(ConfigurationError, match=r"path\.day does not exist"):
        check_parameters("p", {"uri": "path.day"}, INPUTS, document_of("gcs", glob="sales/*"), "kfp")


PAYLOAD = {"window_days": 7, "store": {"region": "north"}}


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("content.windowdays", "did you mean content.window_days? content has: window_days, store"),
        ("content.store.regoin", "did you mean content.store.region? content.store has: region"),
        ("content", "content is a map, which never fits STRING"),
    ],
)
def test_an_expression_on_the_payload_of_a_schedule(expression: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_parameters("p", {"uri": expression}, INPUTS, document_of("schedule", PAYLOAD), "kfp")
    assert problem in str(refused.value)


@pytest.mark.parametrize("expression", ["content.window_days", "content.store.region", "content.note", "content.a.b"])
def test_a_field_that_looks_like_none_of_the_payload_may_be_published_by_hand(expression: str) -> None:
    check_parameters("p", {"uri": expression}, INPUTS, document_of("schedule", PAYLOAD), "kfp")
    check_parameters("p", {"uri": expression}, INPUTS, document_of("schedule", "text"), "kfp")


# --- preview and run time agree ------------------------------------------------------------------------------------

KINDS = ("STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "LIST", "STRUCT")
PATHS = [
    f"{name}.{field}" for name, fields in DOCUMENTS["gcs"].items() if isinstance(fields, Mapping) for field in fields
]
PATHS += [
    *DOCUMENTS["gcs"],
    "content.a",
    "object.metadata.a",
    "message.attributes.a",
    "lines[0]",
    "object.nothing",
    "nothing",
]
literals = st.lists(values, max_size=2).map(tuple)
inputs = st.builds(Input, st.sampled_from(KINDS), st.booleans(), st.just(()) | literals)


@st.composite
def documents(draw: st.DrawFn) -> Mapping[str, Any]:
    """Events as the launcher reads them, from deliveries as Pub/Sub sends them."""
    text = st.text(min_size=1, max_size=5) | st.from_regex(r"[0-9]{1,3}", fullmatch=True)
    resource = draw(
        st.fixed_dictionaries(
            {"bucket": st.just("acme-incoming"), "name": text, "generation": st.integers(1, 9).map(str)},
            optional={
                "size": st.integers(0, 9).map(str),
                "contentType": st.just("text/csv"),
                "timeCreated": st.just("2026-11-22T10:00:00.000Z"),
                "metadata": st.dictionaries(st.just("a"), text),
            },
        )
    )
    try:
        event = read_event("p/s/t", GcsSource("acme-incoming", ""), *push(resource))
    except ValueError:  # half a character in a name
        return {}
    return {**event.document, "content": draw(values), "lines": draw(st.lists(text, max_size=2))}


def accepted(config: Any, spec: Input) -> bool:
    try:
        return check_parameters("p", {"x": config}, {"x": spec}, DOCUMENTS["gcs"], "kfp") in (True, False)
    except ConfigurationError:
        return False


def mapped(config: Any, spec: Input, document: Mapping[str, Any]) -> Any:
    """What a run is given; an error where the event is rejected."""
    return run_parameters({"x": read_parameter("x", config)}, {"x": spec}, document, "kfp").get("x")


@given(value=values, spec=inputs)
def test_a_literal_passes_preview_if_and_only_if_it_is_launched(value: Any, spec: Input) -> None:
    try:
        mapped({"value": value}, spec, {})
        launched = True
    except UnmappableError:
        launched = False
    assert accepted({"value": value}, spec) == launched


@given(default=values, spec=inputs)
def test_a_default_that_passes_preview_is_never_the_reason_of_a_rejection(default: Any, spec: Input) -> None:
    config = {"from": "content.nothing", "default": default}
    if accepted(config, spec) and not (default is None and spec.required):
        mapped(config, spec, {"content": {}})


@given(path=st.sampled_from(PATHS), spec=inputs, document=documents())
def test_what_preview_refuses_would_not_be_launched_by_any_event(
    path: str, spec: Input, document: Mapping[str, Any]
) -> None:
    if accepted(path, spec):
        return
    try:
        assert mapped(path, spec, document) is None, "left to the pipeline, always"
    except UnmappableError:
        return


@given(document=documents())
def test_what_the_document_is_known_to_hold_fits_what_preview_says_it_fits(document: Mapping[str, Any]) -> None:
    for path, kind in [("object.uri", "STRING"), ("object.size", "NUMBER_INTEGER"), ("lines", "LIST")]:
        spec = Input(kind, required=False)
        assert accepted(path, spec)
        mapped(path, spec, document)


predicates = expressions | st.sampled_from(PATHS).flatmap(
    lambda path: st.sampled_from([path, f"!{path}", f"{path} == 'a'", f"{path} > `1`", f"starts_with({path}, 'a')"])
)


@given(when=predicates, document=documents())
def test_a_predicate_that_preview_refuses_decides_on_no_event(when: str, document: Mapping[str, Any]) -> None:
    try:
        check_condition("when", when, DOCUMENTS["gcs"])
    except ConfigurationError as error:
        # What is said to have no such field, or never to be equal, is the same for every event, and not meant.
        if not any(said in str(error) for said in ("does not exist", "never equal", "null for every event")):
            with pytest.raises((BadMappingError, UnmappableError)):
                holds(read_condition(when), document)


NEVER = [
    (
        "event.time[0:7] == '2026-11'",
        "event.time is text, and a slice takes a part of a list: it is null for every event",
    ),
    ("object.name[0] == 'a'", "object.name is text, and an index takes a part of a list"),
    ("object.uri[-1]", "object.uri is text, and an index takes a part of a list"),
    ("object.metadata[0] == 'a'", "object.metadata is a map, and an index takes a part of a list"),
    ("object[1].name == 'a'", "object is a map, and an index takes a part of a list"),
    ("object.bucket | [0] == 'x'", "object.bucket is text, and an index takes a part of a list"),
    ("length(object.name[*]) > `0`", "object.name is text, and [*] goes through a list"),
    ("object.metadata[] | length(@) > `0`", "object.metadata is a map, and [] goes through a list"),
    ("object[?size > `1`]", "object is a map, and [?] goes through a list"),
    ("lines.* | length(@) > `0`", "lines is a list, and .* goes through a map"),
    ("lines[0].name == 'a'", "'name' is null for every event: what it is taken of is text"),
    ("object.{a: name}.b == 'x'", "'b' is null for every event: what it is taken of has a"),
    (
        "object.metadata >= `1`",
        "object.metadata is a map, and >= compares numbers, or texts: it is null for every event",
    ),
    ("object.size > '100'", "object.size is a number and '100' is text: it fails on every event; write `100`"),
    ("object.size == '100'", "object.size is a number and '100' is text: they are never equal; write `100`"),
    ("object.generation == `7`", "object.generation is text and 7 is a number: they are never equal; write '7'"),
    ("lines == 'a'", "lines is a list and 'a' is text: they are never equal"),
    ("length(object.size) > `1`", "length() takes text or a list or a map, not a number"),
    ("sum(lines[*]) > `1`", "sum() takes a list of numbers, not text"),
    (
        "rows[0].size > `1`",
        "what stands before it is text and 1 is a number: it fails on every event; take to_number() of it",
    ),
    ("length(rows[?size > `1`]) > `0`", "what stands before it is text and 1 is a number: it fails on every event"),
    ("keys(object.name) == `[]`", "keys() takes a map, not text"),
    ("join('-', object.name) == 'a'", "join() takes a list of text, not text"),
]
SOMETIMES = [
    "event.time >= '2026-11-01'",
    "content[0] == 'a'",
    "content[0:2] == `[]`",
    "content.rows > `10` && content.status == 'complete'",
    "lines[0] == 'a'",
    "lines[0:2] | length(@) == `2`",
    "starts_with(lines[0], 'id,')",
    "object.metadata.owner == 'ann'",
    "object.metadata.* | length(@) > `0`",
    "object.content_type == `null`",
    "(object.metadata.n || '0') == '0'",
    "contains(object.name, '/day=')",
    "contains(keys(object), 'size')",
    "length(object.name) > `3`",
    "to_number(object.metadata.n) > `3`",
    "to_number(object.name) == `3`",
    "message.attributes.a[0] == 'x'",
    "content[?status == 'ok'] | length(@) > `0`",
    "object.{a: name}.a == 'x'",
    "max_by(content.rows, &size).name == 'x'",
    "type(object.size) == 'number'",
    "reverse(object.name) == 'x'",
    "not_null(content.a, object.size) > `1`",
]


@pytest.mark.parametrize(("expression", "expected"), NEVER)
def test_what_is_null_or_fails_on_every_event_is_refused_with_what_stands_there(
    expression: str, expected: str
) -> None:
    refused = refusal(dev_config(when=expression))
    assert f"{TRIGGERS}[0].when: {show(expression)}: {expected}" in refused
    assert "\n" not in refused, "one mistake has one line"
    assert expected in refusal(dev_config(parameters={"filename": expression}))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (
            "object.content_type != null",
            "null does not exist; the event has: object, message, event, content, lines, records, rows; write `null`",
        ),
        ("content.ready == True", "write `true`"),
        ('object.bucket == "acme"', "text stands in '...', and \"...\" is a field"),
    ],
)
def test_a_value_that_is_written_as_a_field_is_said_to_be_one(expression: str, expected: str) -> None:
    assert expected in refusal(dev_config(when=expression))


@pytest.mark.parametrize("expression", [one for one, _ in NEVER])
def test_what_is_refused_so_says_nothing_of_any_event(expression: str) -> None:
    """The oracle is JMESPath itself, on an event that has everything."""
    event = {
        "object": {**dict.fromkeys(OBJECT, "2026"), "size": 7, "generation": "7", "metadata": {"a": "b"}},
        "event": {"time": "2026-11-26T00:00:00Z"},
        "lines": ["a", "b"],
    }
    try:
        found = jmespath.search(expression, event)
    except (jmespath.exceptions.JMESPathError, TypeError, ValueError):
        return
    assert found in (None, False, [])


@pytest.mark.parametrize("expression", SOMETIMES)
def test_what_may_be_true_of_an_event_passes(expression: str) -> None:
    assert check_stack("dev", dev_config(when=expression))


def test_a_number_that_is_computed_never_fits_text() -> None:
    expected = "length(lines) is a number, which never fits STRING"
    assert expected in refusal(dev_config(parameters={"filename": "length(lines)"}))
