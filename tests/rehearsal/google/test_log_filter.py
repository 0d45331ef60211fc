"""The stand-in for log sinks selects what Cloud Logging would, and says so where it does not know."""

from typing import Any

import pytest

from rehearsal.google.log_filter import UnsupportedFilterError, example_entry, read_log_filter

ENTRY: dict[str, Any] = {
    "logName": "projects/acme/logs/cloudaudit.googleapis.com%2Fdata_access",
    "severity": "NOTICE",
    "timestamp": "2026-11-22T10:00:00.25Z",
    "protoPayload": {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "methodName": "google.cloud.bigquery.v2.JobService.InsertJob",
        "status": {"code": 7},
        "authorizationInfo": [{"permission": "a.b"}, {"permission": "c.d", "granted": True}],
    },
    "labels": {"env": "Prod", "k8s-pod/app": "x"},
}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ('severity = "NOTICE"', True),
        ("severity=notice", True),
        ('severity != "NOTICE"', False),
        ("severity >= NOTICE", True),
        ("severity > NOTICE", False),
        ("severity < ERROR", True),
        ("protoPayload.status.code >= 7", True),
        ("protoPayload.status.code < 7", False),
        ('protoPayload."@type" = "type.googleapis.com/google.cloud.audit.AuditLog"', True),
        ('labels."k8s-pod/app" = "x"', True),
        ('protoPayload.methodName : "insertjob"', True),
        ('protoPayload.methodName =~ "Insert(Job|Table)$"', True),
        ('protoPayload.methodName !~ "insertjob"', True),
        ("protoPayload.status : *", True),
        ("protoPayload.nothing : *", False),
        ("labels : env", True),
        ('timestamp >= "2026-11-22T10:00:00Z"', True),
        ('timestamp < "2026-11-22T09:00:00-02:00"', True),
        ('timestamp > "2026-11-22T10:00:00.5+00:00"', False),
        ('protoPayload.authorizationInfo.permission = "c.d"', True),
        ("protoPayload.authorizationInfo.granted = true", True),
        ('severity = ("ERROR" OR "NOTICE")', True),
        ('severity != ("ERROR" OR "NOTICE")', False),
        ('log_id("cloudaudit.googleapis.com/data_access")', True),
        ('log_id("cloudaudit.googleapis.com/activity")', False),
        ("NOT severity=ERROR", True),
        ("-severity=ERROR", True),
        ("protoPayload.nothing != x", False),  # nothing stands there, and each comparison with nothing is false
        ("protoPayload.nothing !~ x", False),
        ("jsonPayload.nothing = x", False),
        ("labels.nothing != x", False),
        ("resource.labels.nothing !~ x", False),
        ("NOT protoPayload.nothing = x", True),
        ("-labels.nothing : x", True),
        ("labels.nothing != (a OR b)", False),
        ("textPayload != x", True),  # a field of every entry, which has its type's default
        ("textPayload !~ x", True),
        ("textPayload : *", False),
        ("httpRequest.status < 400", True),
        ("httpRequest.status >= 500", False),
        ("traceSampled = false", True),
        ("operation.first != true", True),
        ('resource.type = ""', True),
        ("httpRequest : *", False),
        ('receiveTimestamp < "2026-11-22T10:00:00Z"', True),
        ("severity=NOTICE AND labels.env=dev", False),
        ("severity=NOTICE labels.env=prod", True),
        ("severity=NOTICE -- a comment\nlabels.env=dev", False),
        ("severity=ERROR OR labels.env=prod", True),
        ("severity=ERROR AND (labels.env=dev OR labels.env=prod)", False),
        ("severity=ERROR AND labels.env=dev OR labels.env=prod", False),  # OR binds more tightly
        ('labels.env="a \\"quoted\\" one"', False),
    ],
)
def test_a_filter_selects_as_documented(text: str, selected: bool) -> None:
    assert read_log_filter(text).matches(ENTRY) is selected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        '"hello"',
        'SEARCH("x")',
        "sample(insertId, 0.1)",
        "a=",
        "a=(b OR)",
        "(a=b",
        "a=b)",
        "= b",
        "thud=a",
        "operation.thud != a",
        "textPayload.thud=a",
    ],
)
def test_what_is_not_understood_is_an_error_and_not_a_guess(text: str) -> None:
    with pytest.raises(UnsupportedFilterError):
        read_log_filter(text)


def test_an_order_of_text_is_not_guessed_at() -> None:
    with pytest.raises(UnsupportedFilterError, match="only severities, numbers and timestamps"):
        read_log_filter('logName > "projects"').matches(ENTRY)


@pytest.mark.parametrize(
    "text",
    [
        'jsonPayload.b="x" AND jsonPayload."c d":"y"',
        "severity>=ERROR",
        'log_id("x/y") NOT jsonPayload.b=c',
        "(labels.a=1 OR labels.b=2) labels.c=(3 OR 4)",
    ],
)
def test_an_example_of_what_a_filter_selects_is_found_for_the_usual_ones(text: str) -> None:
    found = read_log_filter(text)
    assert found.matches(example_entry(found.example))
