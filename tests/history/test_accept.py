"""Accepted findings: what an entry matches, when it ends, and what is wrong with an entry."""

import sys
from datetime import date
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from msgspec.structs import replace
from sample_reports import CONTENT, PROMO, USER_API, WEB_APP, dns_story

from flowdiag.history import accept, parse_acceptances
from flowdiag.model.errors import UsageError
from flowdiag.model.report import ReportEndpoint

TODAY = date(2026, 10, 10)
WHO = 'reason = "known"\nowner = "net team"\n'


def entries(text, expires="2026-12-31"):
    return parse_acceptances(".flowdiag.toml", f"[[accept]]\n{WHO}expires = {expires}\n{text}\n".encode())


def one(source, destination, port=8080, protocol="TCP", code="FD101"):
    """A problem of one connection."""
    problem = dns_story().problems[0]
    connection = replace(
        problem.connections[0], source=source, destination=destination, port=port, protocol=protocol
    )
    return replace(problem, code=code, connections=(connection,), source=source, destination=destination)


OUTSIDE = ReportEndpoint(kind="external", name="203.0.113.0/26", ips=("203.0.113.7",))
WORLD = ReportEndpoint(kind="entity", name="world")


@pytest.mark.parametrize(
    ("text", "problem", "accepted"),
    [
        ('code = "FD101"', one(WEB_APP, USER_API), True),
        ('code = "FD102"', one(WEB_APP, USER_API), False),
        ('class = "FD101"', one(WEB_APP, USER_API), True),
        ('class = "FD102"', one(WEB_APP, USER_API), False),
        ('code = "FD101"\nfrom = "frontend/web-app"', one(WEB_APP, USER_API), True),
        ('code = "FD101"\nfrom = "frontend/*"\nto = "backend/*"', one(WEB_APP, USER_API), True),
        ('code = "FD101"\nfrom = "frontend/web"', one(WEB_APP, USER_API), False),
        ('code = "FD101"\nfrom = "backend/*"', one(WEB_APP, USER_API), False),
        ('code = "FD101"\nport = 8080\nprotocol = "tcp"', one(WEB_APP, USER_API), True),
        ('code = "FD101"\nport = 8081', one(WEB_APP, USER_API), False),
        ('code = "FD101"\nprotocol = "UDP"', one(WEB_APP, USER_API), False),
        ('code = "FD101"\ndirection = "egress"', one(WEB_APP, USER_API), True),
        ('code = "FD101"\ndirection = "ingress"', one(WEB_APP, USER_API), False),
        ('code = "FD101"\nto = "content.example.net"', one(PROMO, CONTENT), True),
        ('code = "FD101"\nto = "198.51.100.0/24"', one(PROMO, CONTENT), True),
        ('code = "FD101"\nto = "198.51.100.81"', one(PROMO, CONTENT), False),
        ('code = "FD101"\nfrom = "203.0.113.0/24"', one(OUTSIDE, WEB_APP), True),
        # Inside the wanted range as a whole, or not at all.
        ('code = "FD101"\nfrom = "203.0.113.0/27"', one(OUTSIDE, WEB_APP), False),
        ('code = "FD101"\nfrom = "2001:db8::/32"', one(OUTSIDE, WEB_APP), False),
        ('code = "FD101"\nfrom = "world"', one(WORLD, WEB_APP), True),
        ('code = "FD101"\nfrom = "entity:world"', one(WORLD, WEB_APP), True),
    ],
)
def test_what_an_entry_matches(text, problem, accepted):
    """Code and selectors narrow; what is left out matches everything."""
    found = accept([problem], entries(text), TODAY)

    assert accepted == (0 in found.by)
    assert bool(found.unused) == (not accepted)


def test_a_fingerprint_names_one_problem():
    """By its fingerprint a problem is accepted whatever its code is today."""
    problem = one(WEB_APP, USER_API)
    found = accept(
        [problem, replace(problem, fingerprint="another")],
        entries(f'fingerprint = "{problem.fingerprint}"'),
        TODAY,
    )

    assert list(found.by) == [0]


def test_one_connection_beside_the_selectors_keeps_a_problem_open():
    """The connection that nobody accepted may be the news; the entry is used all the same."""
    problem = one(WEB_APP, USER_API)
    other = replace(problem.connections[0], source=PROMO)
    both = replace(problem, connections=(*problem.connections, other))

    found = accept([both], entries('code = "FD101"\nfrom = "frontend/web-app"'), TODAY)

    assert not found.by
    assert not found.unused
    assert found.partly[0][1] == 1


@pytest.mark.parametrize(("expires", "holds"), [("2026-10-10", True), ("2026-10-09", False)])
def test_the_last_day_still_counts(expires, holds):
    """An entry holds through the whole of its last day, and is expired on the next."""
    found = accept([one(WEB_APP, USER_API)], entries('code = "FD101"', expires), TODAY)

    assert holds == (0 in found.by)
    assert holds == (not found.expired)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[accept]\n", "not TOML"),
        (f"[[accept]]\n{WHO}expires = 2026-12-31\n", "neither a fingerprint nor a code"),
        ('[[accept]]\nowner = "x"\nexpires = 2026-12-31\ncode = "FD101"\n', "entry 1: reason is missing"),
        ('[[accept]]\nreason = "x"\nexpires = 2026-12-31\ncode = "FD101"\n', "owner"),
        (f'[[accept]]\n{WHO}code = "FD101"\n', "expires"),
        (
            f'[[accept]]\n{WHO}code = "FD101"\nexpires = "soon"\n',
            "[[accept]] entry 1: expires wants a day such as 2027-01-31",
        ),
        (
            f'[[accept]]\n{WHO}code = "101"\nexpires = 2026-12-31\n',
            "[[accept]] entry 1: code wants a code that flowdiag codes lists",
        ),
        (
            f'[[accept]]\n{WHO}code = "FD101"\nexpires = 2026-12-31\nform = "a/b"\n',
            "entry 1: no such key: form",
        ),
        ("[audits]\nkeep = 3\n", ".toml: no such key: audits"),
        (
            '[[accept]]\nreason = ""\nowner = "x"\nexpires = 2026-12-31\ncode = "FD101"\n',
            "[[accept]] entry 1: reason wants text that is not empty",
        ),
    ],
)
def test_a_wrong_entry_is_an_error_that_says_where(text, says):
    """A misspelt selector would accept everything: unknown words are refused."""
    with pytest.raises(UsageError, match=r"\.flowdiag\.toml") as error:
        parse_acceptances(".flowdiag.toml", text.encode())

    assert says in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 10_000,
        "a = " + "9" * 5000,
        "a = 2026-99-99",
        "a = 0x" + "f" * 5000,
        "\x00",
        "a = 9999999999999999999999",
    ],
)
def test_a_file_that_is_made_to_break_its_reader_is_wrong_usage(text):
    with pytest.raises(UsageError):
        parse_acceptances("x.toml", text.encode())
