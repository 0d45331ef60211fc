"""What a run is given: every parameter from the event as its pipeline wants it, or a reason why not."""

import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from function_src.launcher.mapping.expression import BadMappingError, UnmappableError, roots
from function_src.launcher.mapping.parameters import Parameter, fit, needed_content, read_parameter, run_parameters
from function_src.launcher.package import Input

INFINITY, NAN = float("inf"), float("nan")
LARGEST = 2**53 - 1
LONG = "secret " * 100
DOCUMENT: Mapping[str, Any] = {
    "object": {"uri": "gs://b/a.csv", "size": 12, "generation": "7", "metadata": {"rows": "3", "owner": None}},
    "message": {},
    "event": {"id": "1"},
    "content": {"ratio": 0.5, "rows": 3.0, "fast": True, "tags": ["a"], "huge": 1e999, "text": LONG},
    "lines": ["one", "two"],
}


def parameters(
    config: Any, spec: Input, document: Mapping[str, Any] = DOCUMENT, target: str = "kfp"
) -> dict[str, Any]:
    return run_parameters({"p": read_parameter("p", config)}, {"p": spec}, document, target)


def required(kind: str, *literals: Any) -> Input:
    return Input(kind, required=True, literals=literals)


def optional(kind: str) -> Input:
    return Input(kind, required=False)


# --- values and types ----------------------------------------------------------------------------------------------

FITTING = [
    ("STRING", "a", "a"),
    ("STRING", "", ""),
    ("STRING", "3", "3"),
    ("NUMBER_INTEGER", 3, 3),
    ("NUMBER_INTEGER", 3.0, 3),
    ("NUMBER_INTEGER", "3", 3),
    ("NUMBER_INTEGER", "-3", -3),
    ("NUMBER_INTEGER", "+3", 3),
    ("NUMBER_INTEGER", "007", 7),
    ("NUMBER_INTEGER", LARGEST, LARGEST),
    ("NUMBER_INTEGER", str(-LARGEST), -LARGEST),
    ("NUMBER_DOUBLE", 2.5, 2.5),
    ("NUMBER_DOUBLE", 3, 3.0),
    ("NUMBER_DOUBLE", "2.5", 2.5),
    ("NUMBER_DOUBLE", "-.5e3", -500.0),
    ("NUMBER_DOUBLE", "2.", 2.0),
    ("BOOLEAN", True, True),
    ("BOOLEAN", False, False),
    ("BOOLEAN", "true", True),
    ("BOOLEAN", "False", False),
    ("LIST", [], []),
    ("LIST", [1, ["a", None]], [1, ["a", None]]),
    ("STRUCT", {}, {}),
    ("STRUCT", {"a": {"b": [1.5]}}, {"a": {"b": [1.5]}}),
]
UNFIT: list[tuple[str, list[Any]]] = [
    ("STRING", [3, 2.5, True, [], {}, "half a character: \ud800"]),
    ("NUMBER_INTEGER", [2.5, "2.5", "3.0", "1_0", " 3", "3\n", "", "٣", "0x3", "1e3", "nan", True, False, [], {}]),
    ("NUMBER_INTEGER", [LARGEST + 1, -LARGEST - 1, str(LARGEST + 1), 1e16, 10**400, "9" * 5000, INFINITY, NAN]),
    ("NUMBER_DOUBLE", ["nan", "inf", "-Infinity", "1_0.5", "1e999", "", ".", "1e", " 1", "1,5", True, [], {}]),
    ("NUMBER_DOUBLE", [LARGEST + 1, 10**400, INFINITY, -INFINITY, NAN]),
    ("BOOLEAN", [1, 0, 1.0, "1", "yes", "", " true", [], {}]),
    ("LIST", ["[]", "a", {}, 3, [INFINITY], [[NAN]], [range(1)], [LARGEST + 1], [["\ud800"]]]),
    ("STRUCT", ["{}", [], 3, {"a": INFINITY}, {"a": [NAN]}, {"a": {"b": -LARGEST - 1}}]),
    ("TASK_FINAL_STATUS", ["a", 3, {}]),
]


def short(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"[:30]


@pytest.mark.parametrize(("kind", "value", "fitted"), FITTING, ids=short)
def test_a_value_that_fits_arrives_as_its_type(kind: str, value: Any, fitted: Any) -> None:
    found = fit("p", value, required(kind))
    assert (found, type(found)) == (fitted, type(fitted))


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, unfit in UNFIT for value in unfit], ids=short)
def test_a_value_of_another_type_is_refused_and_nothing_is_coerced(kind: str, value: Any) -> None:
    with pytest.raises(UnmappableError, match=f"^parameter 'p' is .*, which is no {kind}$"):
        fit("p", value, required(kind))


PYTHON_TYPES: Mapping[str, type] = {
    "STRING": str,
    "NUMBER_INTEGER": int,
    "NUMBER_DOUBLE": float,
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.from_regex(r"[-+.0-9eE_]{1,8}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(kind=st.sampled_from(sorted(PYTHON_TYPES)), value=values)
def test_what_fits_is_always_of_the_type_and_can_be_sent(kind: str, value: Any) -> None:
    try:
        found = fit("p", value, required(kind))
    except UnmappableError:
        return
    assert type(found) is PYTHON_TYPES[kind]
    json.dumps(found, allow_nan=False)
    assert fit("p", found, required(kind)) == found


@pytest.mark.parametrize("value", ["a", "b"])
def test_a_literal_that_the_pipeline_allows_passes(value: str) -> None:
    assert fit("p", value, required("STRING", "a", "b")) == value


@pytest.mark.parametrize(
    ("kind", "allowed", "value", "named"),
    [("STRING", ("a", "b"), "c", "'a', 'b'"), ("NUMBER_INTEGER", (1, 2), "3", "1, 2")],
)
def test_another_literal_is_refused_and_the_allowed_ones_are_named(
    kind: str, allowed: Any, value: str, named: str
) -> None:
    with pytest.raises(UnmappableError) as refusal:
        fit("p", value, required(kind, *allowed))
    assert str(refusal.value) == f"parameter 'p' is text of length 1; the pipeline allows {named}"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("NUMBER_INTEGER", "x"),
        ("NUMBER_INTEGER", LONG),
        ("STRING", [LONG]),
        ("LIST", {"a": LONG}),
        ("BOOLEAN", 10**100),
    ],
)
def test_what_stands_in_a_file_is_not_shown(kind: str, value: Any) -> None:
    with pytest.raises(
        UnmappableError, match=r"is (text|a list|a map) of length \d+, which is|is a long number"
    ) as refusal:
        parameters("content", required(kind), {"content": value})
    assert len(str(refusal.value)) < 100


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        ({"value": ["x", None]}, '["x", null]'),
        ({"value": True}, "true"),
        ({"from": "content.nowhere", "default": "x"}, "'x'"),
        ("'x'", "'x'"),
        ("[`null`, 'x']", '[null, "x"]'),
        ({"value": LONG}, f"text of length {len(LONG)}"),
        ({"value": "half a character: \ud800"}, r"'half a character: \ud800'"),
        ("&content", "what JSON cannot hold"),
    ],
    ids=str,
)
def test_what_the_stack_file_says_itself_is_shown(config: Any, shown: str) -> None:
    with pytest.raises(UnmappableError) as refusal:
        parameters(config, required("NUMBER_INTEGER"), {"content": {"nothing": LONG}})
    assert str(refusal.value) == f"parameter 'p' is {shown}, which is no NUMBER_INTEGER"


# --- expressions, defaults and literals ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "kind", "value"),
    [
        ("object.uri", "STRING", "gs://b/a.csv"),
        ("object.size", "NUMBER_INTEGER", 12),
        ("object.generation", "NUMBER_INTEGER", 7),
        ("object.metadata.rows", "NUMBER_DOUBLE", 3.0),
        ("content.rows", "NUMBER_INTEGER", 3),
        ("content.fast", "BOOLEAN", True),
        ("content.tags", "LIST", ["a"]),
        ("lines", "LIST", ["one", "two"]),
        ("lines[-1]", "STRING", "two"),
        ("object.metadata", "STRUCT", {"rows": "3", "owner": None}),
        ("join('/', ['x', event.id])", "STRING", "x/1"),
        ({"from": "object.uri", "default": "x"}, "STRING", "gs://b/a.csv"),
        ({"from": "object.metadata.owner", "default": "ann"}, "STRING", "ann"),
        ({"from": "nowhere.to.be.found", "default": "7"}, "NUMBER_INTEGER", 7),
        ({"from": "object.metadata.owner || 'none'"}, "STRING", "none"),
        ({"value": "object.uri"}, "STRING", "object.uri"),
        ({"value": [1, 2]}, "LIST", [1, 2]),
        ({"value": False}, "BOOLEAN", False),
    ],
    ids=str,
)
def test_a_parameter_gets_its_value(config: Any, kind: str, value: Any) -> None:
    assert parameters(config, required(kind)) == {"p": value}


@pytest.mark.parametrize(
    "config", ["object.metadata.owner", "nowhere", {"from": "nowhere", "default": None}], ids=str
)
def test_a_required_input_without_a_value_is_refused(config: Any) -> None:
    with pytest.raises(UnmappableError) as refusal:
        parameters(config, required("STRING"))
    assert str(refusal.value) == "the event gives no value for parameter 'p', which the pipeline requires"


def test_a_required_input_that_nobody_maps_is_refused() -> None:
    with pytest.raises(UnmappableError, match="no value for parameter 'p', which the pipeline requires"):
        run_parameters({}, {"p": required("STRING")}, DOCUMENT, "kfp")


@pytest.mark.parametrize("config", ["object.metadata.owner", "nowhere", {"value": None}], ids=str)
def test_an_optional_input_without_a_value_is_left_to_the_pipeline(config: Any) -> None:
    assert parameters(config, optional("NUMBER_INTEGER")) == {}


# --- values that the package gives ---------------------------------------------------------------------------------

GIVEN = Input("NUMBER_INTEGER", required=False, value="100")


@pytest.mark.parametrize(
    ("config", "value"), [("content.rows", 3), ("nowhere", 100), ({"from": "nowhere", "default": 7}, 7)], ids=str
)
def test_the_event_comes_before_the_default_and_that_before_the_package(config: Any, value: int) -> None:
    assert parameters(config, GIVEN) == {"p": value}


def test_what_the_package_gives_is_sent_where_nobody_maps_the_input() -> None:
    assert run_parameters({}, {"p": GIVEN, "q": optional("STRING")}, DOCUMENT, "kfp") == {"p": 100}


# --- what would be expanded on the way -----------------------------------------------------------------------------

MACROS = [  # text, what of it is expanded, by whom
    ("[[RunUUID]]", "[[RunUUID", "KFP's server"),
    ("a [[CurrentTime]]", "[[CurrentTime", "KFP's server"),
    ("[[CurrentTime.2006-01-02]]", "[[CurrentTime", "KFP's server"),
    ("[[ScheduledTime.15-04-05]].csv", "[[ScheduledTime", "KFP's server"),
    ("[[[Index]]]", "[[Index", "KFP's server"),
    ("{{$.scheduledTime.strftime('%Y')}}", "{{$.scheduledTime", "KFP's server"),
    ("{{$.currentTime.strftime('%Y')}}", "{{$.currentTime", "KFP's server"),
    ("{{workflow.uid}}", "{{workflow.uid}}", "KFP's server"),
    ("{{$.pipeline_job_uuid}}", "{{$", "the pipeline's runtime"),
    ("{{$.inputs.parameters['secret']}}", "{{$", "the pipeline's runtime"),
    ("{{$}}", "{{$", "the pipeline's runtime"),
    ("{{workflow.name}}", "{{", "Argo"),
    ("{{=sprig.env('HOME')}}", "{{", "Argo"),
    ("an opening {{ is closed by whatever follows it", "{{", "Argo"),
    ("$$.csv", "$$", "Kubernetes"),
    ("a$$$b", "$$", "Kubernetes"),
    ("$(KFP_POD_NAME)", "$(KFP_POD_NAME)", "Kubernetes"),
    ("in/$(date).csv", "$(date)", "Kubernetes"),
    ("$$(escaped)", "$$", "Kubernetes"),
]
WRAPS = pytest.mark.parametrize(
    ("kind", "wrap"),
    [("STRING", lambda macro: macro), ("LIST", lambda macro: ["a", [macro]]), ("STRUCT", lambda macro: {macro: 1})],
    ids=["STRING", "LIST", "STRUCT"],
)


@pytest.mark.parametrize(("macro", "of_it", "by"), MACROS)
@WRAPS
def test_what_an_event_says_is_not_expanded_into_something_else(
    macro: str, of_it: str, by: str, kind: str, wrap: Any
) -> None:
    reason = re.escape(f"parameter 'p' holds {of_it!r}, which {by} would expand")
    with pytest.raises(UnmappableError, match=f"^{reason}"):
        parameters("content", required(kind), {"content": wrap(macro)})


@pytest.mark.parametrize(("macro", "of_it", "by"), MACROS)
@WRAPS
def test_on_vertex_what_the_pipeline_s_own_language_has_is_refused_and_nothing_else(
    macro: str, of_it: str, by: str, kind: str, wrap: Any
) -> None:
    value = wrap(macro)
    if "{{$" in macro:
        with pytest.raises(
            UnmappableError, match=r"^parameter 'p' holds '\{\{\$', which the pipeline's runtime would"
        ):
            parameters("content", required(kind), {"content": value}, "vertex")
    else:
        assert parameters("content", required(kind), {"content": value}, "vertex") == {"p": value}


@pytest.mark.parametrize(
    "text",
    ["[[1, 2]]", "[RunUUID]", "[[run]]", "{a}", "}}", "${HOME}", "$(", "$(a b)", "$()", "$ $", "5$", "%(x)s", "{ {"],
)
def test_what_nobody_expands_arrives_as_it_is(text: str) -> None:
    assert parameters("content", required("STRING"), {"content": text}) == {"p": text}


@pytest.mark.parametrize("config", [{"value": "[[RunUUID]]"}, {"from": "nowhere", "default": "[[RunUUID]]"}], ids=str)
def test_a_macro_in_the_stack_file_is_meant(config: Any) -> None:
    assert parameters(config, required("STRING")) == {"p": "[[RunUUID]]"}


# --- required and optional -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", ["content.tags", {"from": "nowhere", "default": []}], ids=str)
def test_an_optional_value_that_does_not_fit_is_refused_all_the_same(config: Any) -> None:
    with pytest.raises(UnmappableError, match="which is no NUMBER_INTEGER"):
        parameters(config, optional("NUMBER_INTEGER"))


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("join(',', content)", "join() takes a list of text, not a map"),
        ("sum(content.[text])", "sum() takes a list of numbers, not text"),
        ("starts_with(content.text, `1`)", "starts_with() takes text, not a number"),
        ("length(object.size)", "length() takes text or a list or a map, not a number"),
        ("contains(object.uri, `1`)", "it compares or joins values of different types"),
        ("object.size < content.text", "it compares or joins values of different types"),
        ("ceil(content.huge)", "it rounds what is no number, or infinite"),
        ("floor(to_number('nan'))", "it rounds what is no number, or infinite"),
    ],
)
def test_an_expression_that_fails_on_the_event_is_refused_without_showing_the_event(
    expression: str, problem: str
) -> None:
    with pytest.raises(UnmappableError) as refusal:
        parameters(expression, optional("STRING"))
    assert str(refusal.value) == f"parameter 'p': the expression fails on this event: {problem}"


documents = st.fixed_dictionaries(dict.fromkeys(("object", "content", "lines"), values))
FRAGMENTS = """content object lines a 'a' `1` `"a"` @ * [*] [] [0] [::2] [?a] &a !a {a:b} . | || && == < , : ( ) [ ]
{ } length( sum( join( contains( max_by( sort_by( map( to_number( ceil( keys( merge("""
expressions = st.lists(st.sampled_from(FRAGMENTS.split()), min_size=1, max_size=6).map("".join)


@given(expression=expressions | st.text(), document=documents, kind=st.sampled_from(sorted(PYTHON_TYPES)))
@example("[" * 2000 + "a", {}, "STRING")
@example("(" * 500 + "a" + ")" * 500, {}, "STRING")
@example("a[" + "9" * 5000 + "]", {}, "STRING")
@example("[&content]", {}, "LIST")
@example("max_by(content, &@)", {"content": [1, "a"]}, "LIST")
@example("!" * 300 + "a", {}, "STRING")
def test_any_expression_on_any_event_gives_a_value_or_one_of_two_errors(
    expression: str, document: Mapping[str, Any], kind: str
) -> None:
    try:
        found = parameters(expression, optional(kind), document)
    except (BadMappingError, UnmappableError):
        return
    assert all(type(value) is PYTHON_TYPES[kind] for value in found.values())


@pytest.mark.parametrize(
    "config",
    [
        7,
        None,
        True,
        ["object.uri"],
        {},
        {"default": 1},
        {"form": "a"},
        {"from": "a", "to": 1},
        {"value": 1, "default": 2},
    ],
    ids=str,
)
def test_a_mapping_of_another_shape_is_refused_and_the_right_ones_are_shown(config: Any) -> None:
    with pytest.raises(BadMappingError) as refusal:
        read_parameter("filename", config)
    shapes = "write an expression, {from: EXPRESSION, default: VALUE} or {value: VALUE}"
    listed = "; YAML reads brackets as a list: put the expression in quotes" if isinstance(config, list) else ""
    assert str(refusal.value) == f"parameter 'filename' is {json.dumps(config)}; {shapes}{listed}"


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", "'' is not JMESPath: it is empty"),
        ("object..uri", "'object..uri' is not JMESPath: '.' at character 8 does not belong there"),
        ("object.", "'object.' is not JMESPath: it breaks off at its end"),
        ("object.'uri'", "is not JMESPath: 'uri' at character 8 does not belong there"),
        ("object | ", "'object | ' is not JMESPath: it breaks off at its end"),
        ("é", "'é' is not JMESPath: 'é' at character 1 does not belong there"),
        ("content.a = 'b'", "'=' at character 11 does not belong there; to compare, write =="),
        ("content.a-b", "'-' at character 10 does not belong there; put a name that has a dash in double quotes"),
        ("object.size and content", "'and' at character 13 does not belong there; write &&"),
        ("object.size or content", "'or' at character 13 does not belong there; write ||"),
        ("content.a == 'b", "the ' at character 14 has no other; close it"),
        ('content."a', 'the " at character 9 has no other; close it'),
        ("[" + "9" * 5000 + "]", "text of length 5002 is not JMESPath: it has a number that is too long"),
        (3, "3 is not JMESPath, which is text; put it in quotes"),
        (None, "null is not JMESPath, which is text"),
        (["a"], '["a"] is not JMESPath, which is text'),
        ("!" * 3000 + "a", "is not JMESPath: it nests too deeply"),
        ("lines[::0]", "'lines[::0]': a slice with the step 0 takes nothing; leave the step out"),
        ("title(object.name)", "'title(object.name)': there is no function title()"),
        ("object.uri || map(&chomp(@), lines)", "there is no function chomp()"),
        ("lines[?len(@) > `3`] | [0]", "there is no function len(); did you mean length()?"),
        ("object.name.startsWith('a')", "there is no function startsWith(); did you mean starts_with()?"),
        ("object.size > 7", "7 at character 15 does not belong there; write numbers as `7`"),
        ("content.a IN content.b", "'IN' at character 11 does not belong there; write contains(LIST, VALUE)"),
        ("content.a <> content.b", "'>' at character 12 does not belong there; write != for what differs"),
        ("content.a is content.b", "'is' at character 11 does not belong there; write == `null`"),
        ("content.a LIKE 'b%'", "write starts_with(), ends_with() or contains()"),
        ("content.a & content.b", "'&' at character 11 does not belong there; write &&"),
        ("length()", "'length()': length() takes 1 argument, not 0"),
        ("content.a && starts_with(content.b)", "starts_with() takes 2 arguments, not 1"),
        ("map(&length(@, @), lines)", "length() takes 1 argument, not 2"),
        ("merge()", "merge() takes 1 argument, not 0"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_expression_that_is_wrong_for_every_event_is_refused(expression: Any, problem: str) -> None:
    with pytest.raises(BadMappingError) as refusal:
        read_parameter("filename", {"from": expression})
    assert str(refusal.value).startswith("parameter 'filename': ")
    assert problem in str(refusal.value)
    assert "\n" not in str(refusal.value)


configs = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["from", "default", "value", "x"]), inner),
    max_leaves=4,
)


@given(config=configs)
def test_any_configuration_is_a_parameter_or_refused(config: Any) -> None:
    with contextlib.suppress(BadMappingError):
        assert isinstance(read_parameter("p", config), Parameter)


# --- what an expression reads --------------------------------------------------------------------------------------

EVERYTHING = {"object", "path", "message", "event", "log", "content", "lines"}


@pytest.mark.parametrize(
    ("expression", "read"),
    [
        ("object", {"object"}),
        ("object.uri", {"object"}),
        ("object.metadata.content", {"object"}),
        ('object.metadata."content"', {"object"}),
        ('"content"', {"content"}),
        ("content", {"content"}),
        ("content.a.b.c", {"content"}),
        ("content[0].a", {"content"}),
        ("content[*].lines", {"content"}),
        ("content[].object", {"content"}),
        ("content.*.object", {"content"}),
        ("lines[1:3]", {"lines"}),
        ("lines[?contains(@, 'x')] | [0]", {"lines"}),
        ("object.metadata | content", {"object"}),
        ("content | object.uri", {"content"}),
        ("object.uri || content.uri", {"object", "content"}),
        ("object.size && lines", {"object", "lines"}),
        ("!content", {"content"}),
        ("object.size > content.size", {"object", "content"}),
        ("length(lines)", {"lines"}),
        ("join('/', [object.name, content.a])", {"object", "content"}),
        ("object.join('/', [name, content])", {"object"}),
        ("sort_by(object.items, &content)", {"object"}),
        ("[object.uri, event.id]", {"object", "event"}),
        ("object.[content, lines]", {"object"}),
        ("{a: message.id, content: object.uri}", {"message", "object"}),
        ("object.{a: content}", {"object"}),
        ('`"content"`', set()),
        ("'content'", set()),
        ("@", EVERYTHING),
        ("@.content", EVERYTHING),
        ("*", EVERYTHING),
        ("*.uri", EVERYTHING),
        ("[0]", EVERYTHING),
        ("[?content]", EVERYTHING),
        ("keys(@)", EVERYTHING),
        ("map(&content, [@])", EVERYTHING),
    ],
)
def test_an_expression_reads_only_these_parts_of_the_event(expression: str, read: set[str]) -> None:
    parameter = read_parameter("p", expression)
    assert parameter.expression is not None
    assert roots(parameter.expression.parsed) == read
    assert needed_content({"p": parameter}) == read & {"content", "lines", "records", "rows"}


@given(expression=expressions)
def test_what_an_expression_is_not_said_to_read_does_not_change_its_value(expression: str) -> None:
    try:
        parsed = read_parameter("p", expression).expression
        expected = parsed and parsed.search(DOCUMENT)
    except (ValueError, TypeError, ArithmeticError):
        return
    assert parsed is not None
    read = {name: value for name, value in DOCUMENT.items() if name in roots(parsed.parsed)}
    assert as_text(parsed.search(read)) == as_text(expected)


def as_text(value: Any) -> str:
    return json.dumps(value, default=lambda expression: type(expression).__name__)


@pytest.mark.parametrize("config", [{"value": "content"}, {"from": "object.uri", "default": "content"}], ids=str)
def test_literals_and_defaults_read_no_content(config: Any) -> None:
    assert not needed_content({"p": read_parameter("p", config)})


def test_one_parameter_that_reads_content_is_enough() -> None:
    assert needed_content({"a": read_parameter("a", "object.uri"), "b": read_parameter("b", "lines[0]")})
    assert not needed_content({})
