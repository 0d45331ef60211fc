"""A token goes where the configuration says, whoever reads the URL."""

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from function_src.launcher.http import Api
from function_src.launcher.origin import BadOriginError, is_hosted, is_loopback, read_endpoint, read_origin

LOOPBACK = {"127.0.0.1", "127.8.9.1", "localhost", "[::1]"}
HOSTED = "1234abcd-dot-us-central1.pipelines.googleusercontent.com"


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        (f"https://{HOSTED}", f"https://{HOSTED}"),
        (f"https://{HOSTED}/", f"https://{HOSTED}"),
        (f"HTTPS://{HOSTED.upper()}", f"https://{HOSTED}"),
        ("https://kfp.example:8443", "https://kfp.example:8443"),
        ("https://kfp", "https://kfp"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://localhost/", "http://localhost"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_origin_is_read_and_written_in_one_way(value: str, origin: str) -> None:
    assert read_origin(value) == read_endpoint(value) == origin
    assert read_origin(origin) == read_endpoint(origin) == origin


@pytest.mark.parametrize(
    ("value", "endpoint"),
    [
        ("https://kf.example/pipeline", "https://kf.example/pipeline"),
        ("https://kf.example/pipeline/", "https://kf.example/pipeline"),
        ("HTTPS://KF.example:8443/Team/KFP_2.x~1/", "https://kf.example:8443/Team/KFP_2.x~1"),
        ("http://localhost:8080/pipeline", "http://localhost:8080/pipeline"),
        ("https://kf.example/...", "https://kf.example/..."),
    ],
)
def test_an_endpoint_may_be_below_a_path_whose_case_is_its_own(value: str, endpoint: str) -> None:
    assert read_endpoint(value) == endpoint
    assert read_endpoint(endpoint) == endpoint
    with pytest.raises(BadOriginError, match="leave out what follows the host: "):
        read_origin(value)


@pytest.mark.parametrize(
    ("pasted", "fix"),
    [
        ("https://kf.example/pipeline/#/runs/details/0d5e", "write https://kf.example/pipeline"),
        ("https://kf.example/pipeline#/experiments", "write https://kf.example/pipeline"),
        ("https://kf.example/_/pipeline/?ns=orders#/runs", "write https://kf.example/pipeline"),
        ("https://kf.example/_/pipeline/", "write https://kf.example/pipeline"),
        ("https://kf.example/pipeline/apis/v2beta1/runs", "write https://kf.example/pipeline"),
        ("https://kf.example/pipeline/apis", "write https://kf.example/pipeline"),
        ("https://kf.example/apis/v2beta1", "leave out what follows the host: https://kf.example"),
        ("https://kf.example/?ns=orders", "leave out what follows the host: https://kf.example"),
        ("https://kf.example/#/pipelines", "leave out what follows the host: https://kf.example"),
        (f"https://{HOSTED}/#/runs/details/0d5e", f"leave out what follows the host: https://{HOSTED}"),
        (f"https://{HOSTED}/pipeline", f"leave out what follows the host: https://{HOSTED}"),
        ("kf.example/pipeline", "start it with https://: a token must not travel in the clear"),
        ("localhost:8080/pipeline", "start it with http://"),
    ],
)
def test_what_was_pasted_from_a_browser_is_refused_with_the_endpoint_that_is_meant(pasted: str, fix: str) -> None:
    with pytest.raises(BadOriginError) as refusal:
        read_endpoint(pasted)
    assert str(refusal.value) == f"is {pasted!r}; {fix}"
    if fix.rpartition(" ")[2].startswith("https://k"):
        assert read_endpoint(fix.rpartition(" ")[2])


@pytest.mark.parametrize(
    "path",
    [
        *("/a/../b", "/..", "/.", "/a/.", "/./a", "//a", "/a//b", "//evil.example/a", "/a%2e%2e/b", "/a%2fb", "/a;b"),
        *("/a@b", "/a:b", "/a b", "/a\\b", "/a\n", "/a\r\nX: y", "/a\0", "/\N{KELVIN SIGN}", "/a|b", "/{a}"),
    ],
    ids=repr,
)
def test_a_path_that_not_everybody_reads_alike_is_refused(path: str) -> None:
    with pytest.raises(BadOriginError, match="in its path use letters, digits"):
        read_endpoint(f"https://kf.example{path}")


@pytest.mark.parametrize("value", [f"https://evil.example/{HOSTED}", f"https://evil.example/x/.{HOSTED}/pipeline"])
def test_a_path_makes_no_host_a_hosted_one(value: str) -> None:
    with pytest.raises(BadOriginError, match="only looks like a hosted endpoint"):
        read_endpoint(value)
    assert not is_hosted(value)
    assert not is_loopback("https://evil.example/localhost")
    assert is_hosted(f"https://{HOSTED}")


@pytest.mark.parametrize(
    "value",
    [
        *("", "https://", "kfp.example", "//kfp.example", "ftp://kfp.example", "https:kfp.example", "https:///kfp"),
        *("http://kfp.example", "http://10.0.0.1", "http://127.0.0.1.example", "http://localhost.example"),
        *("http://127.1", "http://127.0.0.300", "http://127.0.0.01", "http://128.0.0.1", "http://0.0.0.0"),
        *("http://localhost@kfp.example", "http://127.0.0.1@kfp.example", "http://127.0.0.1:80@kfp.example"),
        *(f"https://evil.example\\.{HOSTED}", f"https://evil.example\\@{HOSTED}", f"https://evil.example#{HOSTED}"),
        *(f"https://{HOSTED}@evil.example", f"https://user:password@{HOSTED}", f"https://{HOSTED}:443:443"),
        *(f"https://{HOSTED}/pipeline", f"https://{HOSTED}//", f"https://{HOSTED}/#/runs", f"https://{HOSTED}?a=b"),
        *(f"https://{HOSTED}:", f"https://{HOSTED}:https", f" https://{HOSTED}", f"https://{HOSTED} "),
        *(f"https://{HOSTED}\n", f"https://{HOSTED}\r\nX: y", f"https://{HOSTED}%00", f"https://{HOSTED}\0"),
        *("https://-kfp.example", "https://kfp..example", "https://kfp.example.", "https://kfp_1.example"),
    ],
    ids=repr,
)
def test_what_is_more_or_less_than_an_origin_is_refused_and_shown(value: str) -> None:
    with pytest.raises(BadOriginError) as refusal:
        read_origin(value)
    assert str(refusal.value).startswith(f"is {value!r}; ")


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        ("localhost:8080", "start it with http://"),
        ("127.0.0.1:8080", "start it with http://"),
        ("[::1]:8080", "start it with http://"),
        ("http://localhost:port", "write http://HOST"),
        ("http://127.0.0.1:8080/#/runs", "leave out what follows the host: http://127.0.0.1:8080"),
        ("http://::1:8080", "write https://HOST, or http://localhost:PORT"),
    ],
)
def test_this_machine_need_not_be_asked_by_https(value: str, fix: str) -> None:
    with pytest.raises(BadOriginError) as refusal:
        read_origin(value)
    assert str(refusal.value) == f"is {value!r}; {fix}"


PIECES = ["https", "http", ":", "/", "//", "\\", "@", "#", "?", ".", "-", "[", "]", "[::1]", "%2f", "\t", "\n", "\0"]
HOSTS = [
    "localhost",
    "127.0.0.1",
    "127.8.9.1",
    "evil.example",
    HOSTED,
    "a",
    "80",
    "\N{LATIN SMALL LETTER LONG S}",
    "\N{IDEOGRAPHIC FULL STOP}",
]
urls = st.lists(st.sampled_from(PIECES + HOSTS), max_size=6).map("".join)


@given(value=urls | urls.map("https://".__add__) | urls.map("http://".__add__) | st.text())
@example("https://\N{KELVIN SIGN}fp.example")
def test_whatever_passes_is_one_host_to_every_reader_and_safe_to_send_a_token_to(value: str) -> None:
    try:
        origin = read_origin(value)
    except BadOriginError:
        return
    to_python, to_urllib3 = urlsplit(origin), parse_url(origin)
    assert to_urllib3.host is not None
    assert origin == f"{to_urllib3.scheme}://{to_urllib3.netloc}" == f"{to_python.scheme}://{to_python.netloc}"
    assert to_urllib3.host.strip("[]") == to_python.hostname
    assert to_urllib3.auth is None
    assert to_urllib3.scheme == "https" or to_urllib3.host in LOOPBACK


PATHS = [
    "/pipeline",
    "/_",
    "/apis",
    "/",
    "//",
    ".",
    "..",
    "~",
    "-",
    "A",
    "%2e",
    "?",
    "#",
    "@",
    "\\",
    ":",
    ";",
    HOSTED,
]
below = st.lists(st.sampled_from(PATHS)).map(lambda path: "https://a" + "".join(path))


@given(value=urls.map("https://".__add__) | below)
def test_whatever_passes_as_an_endpoint_is_sent_to_as_it_is_written(value: str) -> None:
    try:
        endpoint = read_endpoint(value)
    except BadOriginError:
        return
    assert read_endpoint(endpoint) == endpoint
    url = f"{endpoint}/apis/v2beta1/runs"
    assert url == str(parse_url(url))
    api = Api(endpoint, None, 1)
    assert (api._pool.host, f"{api._path}/apis/v2beta1/runs") == (urlsplit(url).hostname, urlsplit(url).path)
    assert urlsplit(url).netloc == parse_url(url).netloc == urlsplit(endpoint).netloc
    assert is_hosted(endpoint) == urlsplit(endpoint).netloc.endswith(".pipelines.googleusercontent.com")
