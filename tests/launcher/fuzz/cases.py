"""Cases that are likely to be hard: few letters, parts that overlap, nothing at all, times at which clocks change.

Each kind has a function that makes the arguments of a case by a seeded ``Random``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from tests.launcher.fuzz import texts
from tests.launcher.fuzz.times import BEFORE, DAY, MINUTE, SECOND, ZONES, split_days, sunday

LITERALS = ["a", "b", "-", "1", "/", "a", "-", "/", ".", "é", "e\u0301", "😀", "\n", "2026-01-01", "]", "_"]
WILD = [
    "*",
    "**",
    "**/",
    "?",
    "*",
    "**/",
    "[ab]",
    "[!a]",
    "[0-9]",
    "[a-]",
    "[!-a]",
    "[*]",
    "[[]",
    "[a-b1-2]",
    "[😀-😂]",
]
NAMES = ["a", "b", "c", "n1", "d_"]
SOUP = "ab{}[]*?!/-:\\int1"
NAME = "ab-1/.\n"
DATES = [
    "2026-02-28",
    "2026-02-29",
    "2024-02-29",
    "1900-02-29",
    "2000-02-29",
    "0000-01-01",
    "2026-13-01",
    "2026-1-01",
]
LITTLE = ["a", "b", "aa", "ab", "ba", "a", "😀", "e\u0301", ""]
Arguments = tuple[str, ...]


def glob(random: Random) -> Arguments:
    """A glob, and a name that it may well match."""
    if random.random() < 0.05:
        return "".join(random.choices(SOUP, k=random.randint(0, 9))), _name(random)
    tokens = [*_tokens(random)]
    name = "".join(_filling(random, token) for token in tokens) if random.random() < 0.85 else _name(random)
    if random.random() < 0.2:
        name = _changed(random, name, NAME)
    return "".join(tokens), name


def _tokens(random: Random) -> Iterator[str]:
    names = random.sample(NAMES, len(NAMES))
    for _ in range(random.randint(1, 7)):
        if random.random() < 0.3:
            yield random.choice(["/", "**/", "/**/"])
        match random.randrange(5):
            case 0 | 1:
                yield random.choice(LITERALS)
            case 2 | 3:
                yield random.choice(WILD)
            case 4 if names:
                yield f"{{{names.pop()}{random.choice(['', '', ':int', ':date'])}}}"


def _filling(random: Random, token: str) -> str:
    """Something that a part of a glob is likely to take."""
    if token.endswith(":date}"):
        return random.choice(DATES)
    if token.endswith(":int}"):
        return "".join(random.choices("0120120120120\u0661", k=random.choice([1, 2, 3, 15, 16])))
    if token.startswith("{"):
        return "".join(random.choices("ab-1😀", k=random.randint(1, 3)))
    if token.endswith("**/"):
        return token[:-3] + "".join(f"{random.choice(['a', 'b1', '', 'é'])}/" for _ in range(random.randrange(3)))
    if token.startswith("*"):
        return "".join(random.choices("ab-1" + "/" * (token == "**"), k=random.randrange(4)))
    return random.choice("ab1-é*[😁/") if token == "?" or (token[0] == "[" and len(token) > 1) else token


def _name(random: Random) -> str:
    return "".join(random.choices(NAME, k=random.randrange(12)))


def _changed(random: Random, text: str, letters: str) -> str:
    """One letter more, one less, or another."""
    at = random.randint(0, len(text))
    put: str = random.choice(["", *letters])
    return text[:at] + put + text[at + random.randrange(2) :]


def cased(random: Random) -> Arguments:
    """Letters that change their number or depend on their neighbours."""
    letters = [*texts.LETTERS, *texts.PLAIN, *texts.IGNORED, *"Σ" * 9]
    return ("".join(random.choices(sorted(letters), k=random.randrange(9))),)


def spaced(random: Random) -> Arguments:
    """White space, and what is none though it looks like it: controls, a space of no width, a byte-order mark."""
    letters = texts.WHITE + "ab" * 8 + "\x1c\x1d\x1e\x1f\x00\u200b\ufeff\u180e\u2060"
    return ("".join(random.choices(letters, k=random.randrange(9))),)


def parts(random: Random) -> Arguments:
    """A text, and a part that may stand in it more than once and within itself."""
    return _little(random, 8), _little(random, 2)


def swapped(random: Random) -> Arguments:
    """A text, a part of it, and another."""
    return (*parts(random), _little(random, 3))


def _little(random: Random, most: int) -> str:
    return "".join(random.choices(LITTLE, k=random.randint(0, most)))


def json(random: Random) -> Arguments:
    """JSON, or what was JSON before a letter of it was changed."""
    text = _json(random, 3)
    for _ in range(random.choice([0, 0, 0, 1, 1, 2])):
        text = _changed(random, text, '{}[],:"\\ue0019.-+ \n\ttrueNaI\ufeff\x0b\xa0٣')
    return (text,)


def _json(random: Random, deep: int) -> str:
    def space() -> str:
        return random.choice(["", "", "", " ", "\n", "\t\r"])

    kind = random.randrange(8 if deep else 5)
    if kind < 2:
        return space() + random.choice(SCALARS)
    if kind < 5:
        units = [
            "a",
            "é",
            "😀",
            "\\n",
            '\\"',
            "\\\\",
            "\\/",
            "\\u00e9",
            "\\ud83d\\ude00",
            "\\ud83d",
            "\\ude00",
            "\\x",
        ]
        return space() + '"' + "".join(random.choices(units, k=random.randrange(4))) + '"' + space()
    members = [_json(random, deep - 1) for _ in range(random.randrange(4))]
    if kind == 5:
        return "[" + space() + ",".join(members) + "]" + space()
    names = [random.choice(["a", "b", "", "\\u0061"]) for _ in members]
    pairs = [f'{space()}"{name}"{space()}:{member}' for name, member in zip(names, members, strict=True)]
    return "{" + ",".join(pairs) + space() + "}"


SCALARS = [
    *["0", "-0", "1", "-12", "1.0", "1e3", "1E-2", "0.5e+1", "1e400", "-1e-400", "12345678901234567890", "true"],
    *["false", "null", "01", ".5", "1.", "NaN", "-Infinity", "+1", "0x1", "1_0", "-"],
]
PATTERNS = ["%Y", "%m", "%d", "%H", "%M", "%S", "%j", "%G", "%V", "%u", "%y", "%F", "%T", "%%", "-", "d", "😀", " "]


def shown(random: Random) -> Arguments:
    """A time, a pattern and a zone."""
    wrong = random.choice(["%Q", "%", "%e", "%-d", "%\n"]) if random.random() < 0.05 else ""
    zone = random.choice([*ZONES])
    return _time(random, zone), "".join(random.choices(PATTERNS, k=random.randint(0, 6))) + wrong, zone


def later(random: Random) -> Arguments:
    """A time, how much later, and a zone."""
    zone = random.choice([*ZONES])
    return _time(random, zone), _duration(random, zone), zone


def _time(random: Random, zone: str) -> str:
    """Near a change of the clocks, the end of a year, a leap day, or the end of time."""
    there = ZONES[zone]
    year = random.randint(2022, 2080)
    edges: list[int] = [
        sunday(year, 12, -1, 0),
        *(change(year) for change in (there.starts, there.ends) if change),
    ] * 2
    edges += [BEFORE[year] * DAY, (BEFORE[year - 1] + 59) * DAY]
    if zone in ("UTC", "Etc/GMT+12", "Etc/GMT-14"):
        edges += [DAY, (BEFORE[-1] - 1) * DAY, BEFORE[random.randint(1, 9998)] * DAY]
    offset = random.choice([0, 0, 60, -210, 840, -720, 330, 1439, -1439])
    moment = random.choice(edges) + random.choice([-1, 0, 1]) * random.randint(0, 180) * MINUTE
    moment += random.choice([0, 0, -1, 1, 480_000, -SECOND, random.randint(0, DAY)])
    written = _written(min(max(moment + offset * MINUTE, 0), BEFORE[-1] * DAY - 1), offset)
    if random.random() < 0.1:
        written = written[:4] + _changed(random, written[4:], "0123456789:-TZ .,")  # another year has other rules
    return written.replace(":", "").replace("-", "", 2) if random.random() < 0.05 else written


def _written(moment: int, offset: int) -> str:
    year, month, day, _ = split_days(moment // DAY)
    left = moment % DAY // SECOND
    fraction = f"{moment % SECOND:06}9".rstrip("09")
    zone = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}" if offset else "Z"
    clock = f"{left // 3600:02}:{left // 60 % 60:02}:{left % 60:02}"
    return f"{year:04}-{month:02}-{day:02}T{clock}{'.' + fraction if fraction else ''}{zone}"


def _duration(random: Random, zone: str) -> str:
    if random.random() < 0.05:
        return random.choice(["", "-", "1mo", "1 d", "d", "1d-2h", "1.5h", "--1d", "1D", "1234567s", "٣d", "1d\n"])
    counts = [0, 1, 2, 7, 23, 24, 25, 59, 60, 120, 154, 217, 364, 365, 366]
    if ZONES[zone].starts is None and zone != "Asia/Kolkata":
        counts += [999_999, 100_000]
    units = random.choices("wddhhms", k=random.choice([1, 1, 2, 3]))
    return random.choice(["", "+", "-", "-"]) + "".join(f"{random.choice(counts)}{unit}" for unit in units)


KINDS: dict[str, Callable[[Random], Arguments]] = {
    "glob": glob,
    "lower": cased,
    "upper": cased,
    "trim": spaced,
    "split": parts,
    "replace": swapped,
    "find_first": parts,
    "find_last": parts,
    "parse_json": json,
    "format_time": shown,
    "add_time": later,
}
