"""What is wrong with a query file is said with its line; nothing in it is left out silently."""

import pytest

from flowdiag.analysis.query_file import read_queries
from flowdiag.model.errors import InputError


def problems(text):
    queries, _ = read_queries("queries.yaml", text.encode())
    return [query.problem for query in queries]


@pytest.mark.parametrize(
    ("key", "right"),
    [
        ("protcol", "protocol"),
        ("proto", "protocol"),
        ("ports", "port"),
        ("Allowed", "allowed"),
        ("allow", "allowed"),
        ("expected", "allowed"),
        ("source", "src"),
        ("dts", "dst"),
        ("destination", "dst"),
    ],
)
def test_a_misspelt_key_fails_its_query_alone(key, right):
    """With the file, the line and the key that was meant; the other query stands."""
    found = problems(
        f"queries:\n- {{src: a/x, dst: a/y, allowed: true}}\n- src: a/x\n  dst: a/y\n  {key}: 1\n  allowed: true\n"
    )

    assert found == [None, f"queries.yaml:5: {key!r} is not a query's key; did you mean {right!r}?"]


def test_json_has_lines_too():
    """Also where it is indented by tabs."""
    text = '{\n\t"queries": [\n\t\t{"src": "a/x", "dst": "b/y",\n\t\t "prt": 80, "allowed": true}]}'
    assert problems(text) == ["queries.yaml:4: 'prt' is not a query's key; did you mean 'port'?"]


def test_a_misspelt_list_is_no_query_file():
    """With the line of the key that was found in its place."""
    with pytest.raises(InputError, match="2: 'querys' is not read"):
        read_queries("queries.yaml", b"version: 1\nquerys: []\n")


def test_keys_that_mean_something_else_are_said_once():
    """A name, a comment, what another tool answers: the queries stand."""
    text = "source: x\nqueries:\n" + "- {src: a/x, dst: a/y, allowed: true, why: tests}\n" * 3
    queries, notes = read_queries("queries.yaml", text.encode())

    assert [query.problem for query in queries] == [None] * 3
    assert notes == [
        "queries.yaml: not read beside queries: source",
        "queries.yaml: 'why' of a query is not read (in 3 of 3)",
    ]


def test_values_of_any_kind_are_a_problem_and_no_crash():
    """A list where a word is wanted."""
    assert problems("queries: [{src: a/x, dst: a/y, protocol: [TCP]}]") == [
        "protocol ['TCP'] is none of TCP, UDP, SCTP, ICMP, ICMPv6"
    ]
    assert problems("- {src: a/x, dst: a/y, port: [1]}") == ["port [1] is neither a number nor a name"]


def test_protocols_are_read_in_any_case():
    """As ``flowdiag explain A B 53/udp`` takes them; the answer has the usual spelling."""
    queries, _ = read_queries(
        "q.yaml",
        b"- {src: a/x, dst: a/y, protocol: tcp, port: 80}\n- {src: a/x, dst: a/y, protocol: icmpv6}\n",
    )

    assert [query.protocol for query in queries] == ["TCP", "ICMPv6"]
    assert [query.problem for query in queries] == [None, None]


def doubling(values):
    """Nine aliases, each ten times the one before."""
    rows = [f"a0: &a0 {values[0]}"]
    rows += [f"a{n}: &a{n} {values[1] % ','.join([f'*a{n - 1}'] * 10)}" for n in range(1, 9)]
    return "\n".join([*rows, "queries: [*a8]"])


@pytest.mark.parametrize(
    "text",
    [
        "- " * 100_000 + "1",
        "{a: " * 50_000 + "1" + "}" * 50_000,
        "[" * 100_000,
        "queries: [" + "[" * 100_000 + "]" * 100_000 + "]",
        doubling(("[x]", "[%s]")),
        "? {a: 1}\n: 2\nqueries: []",
        "queries: &a [*a]",
        "queries: []\n---\nqueries: []",
    ],
    ids=["deep", "deep maps", "deep JSON", "deep list", "bomb", "key", "itself", "documents"],
)
def test_a_file_that_is_made_to_break_its_reader_is_refused(text):
    """Without going down by recursion in C, and without writing out what aliases stand for."""
    with pytest.raises(InputError):
        read_queries("queries.yaml", text.encode())


@pytest.mark.parametrize(
    "text",
    [
        doubling(("{k: 1}", "{<<: [%s], x: 1}")),
        "queries: [{src: 2026-99-99, dst: .nan, port: 1e999}]",
        f"queries: [{{src: a/x, dst: b/y, port: {'9' * 5000}}}]",
        f"queries: [{{src: a/x, dst: b/y, port: {':'.join(['59'] * 5000)}}}]",
    ],
    ids=["merges", "no day", "digits", "sexagesimal"],
)
def test_values_that_yaml_makes_much_of_stay_small(text):
    """Merges are not written out again and again, and a text is no day and no number of base sixty."""
    queries, _ = read_queries("queries.yaml", text.encode())

    assert len(queries) == 1
