"""Codes of the messages that matter: each by a line in the real form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.parserkit import Block, ChangeEvent, ParseContext, TimeSource
from flowdiag_parsers.calico.component_log import CalicoLog
from flowdiag_parsers.calico.record import duration_ms, split_fields
from flowdiag_parsers.calico.signals import BIRD, SIGNALS, TEXTS

EXCERPT = b"""\
Defaulted container "calico-node" out of: calico-node, upgrade-ipam (init), install-cni (init)
2026-03-02 10:00:00.077 [INFO][83] monitor-addresses/autodetection_methods.go 103: Using autodetected IPv4 address on interface eth0: 192.0.2.2/24
2026-03-02 10:00:32.770 [INFO][80] felix/summary.go 100: Summarising 11 dataplane reconciliation loops over 1m4.5s: avg=11ms longest=38ms ()
2026-03-02 10:00:55.083 [INFO][83] monitor-addresses/autodetection_methods.go 103: Using autodetected IPv4 address on interface eth0: 192.0.2.2/24
"""


def _read(data, **context):
    block = Block(data=data if isinstance(data, bytes) else data.encode(), last=True)
    return list(CalicoLog().parse(block, ParseContext(input="felix.log", **context)))


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda s: f"{s.code}/{s.file}/{s.starts[:30]}")
def test_sample_gives_its_code(signal):
    """The line that stands beside a signal is read as that signal, or as what its fields make of it."""
    found = _read(signal.sample)[0].signal

    assert found == ("endpoint-up" if signal.code == "endpoint-status" else signal.code)


@pytest.mark.parametrize(("words", "code", "line"), TEXTS, ids=[words for words, _, _ in TEXTS])
def test_quoted_words_give_their_code(words, code, line):
    """A CNI error means the same in the plugin's log and in the kubelet's."""
    assert words in line
    assert _read(line, year=2026)[0].signal == code


@pytest.mark.parametrize(("words", "code", "line"), BIRD, ids=[words for words, _, _ in BIRD])
def test_bird_message_gives_its_code(words, code, line):
    """BIRD's lines have no header and are known by their words."""
    (event,) = _read(line)

    assert words in event.message
    assert (event.component, event.signal) == ("bird", code)


def test_the_excerpt_that_people_see_first_is_read_into_signals():
    """Autodetection and the heartbeat are signals with durations; kubectl's chatter is nothing."""
    events = _read(EXCERPT)

    assert [event.line for event in events] == [2, 3, 4]
    assert [event.signal for event in events] == [
        "address-autodetected",
        "dataplane-loop-summary",
        "address-autodetected",
    ]
    fields = events[1].fields
    assert (fields["loops"], fields["over_ms"], fields["avg_ms"], fields["longest_ms"]) == (
        "11",
        "64500",
        "11",
        "38",
    )


def test_a_loop_of_five_seconds_is_slow():
    """A new pod or policy waits as long as the loop."""
    line = EXCERPT.splitlines()[2].replace(b"longest=38ms ()", b"longest=5s (resync-filter-v4)")

    (event,) = _read(line)

    assert event.signal == "slow-dataplane-loop"
    assert event.fields["operations"] == "resync-filter-v4"


@pytest.mark.parametrize(
    ("msg", "kind", "group", "namespace", "name"),
    [
        (
            'id:<tier:"default" name:"shop/knp.default.web" >',
            "NetworkPolicy",
            "networking.k8s.io",
            "shop",
            "web",
        ),
        ('id:{tier:"default"  name:"shop/default.web"}', "NetworkPolicy", "projectcalico.org", "shop", "web"),
        ('id:{tier:"sec"  name:"sec.a.b"}', "GlobalNetworkPolicy", "projectcalico.org", None, "a.b"),
        (
            'id:{name:"web"  namespace:"shop"  kind:"KubernetesNetworkPolicy"}',
            "NetworkPolicy",
            "networking.k8s.io",
            "shop",
            "web",
        ),
    ],
)
def test_an_updated_policy_is_a_change_of_its_object(msg, kind, group, namespace, name):
    """Every generation's id names the object that people know."""
    line = (
        "2026-03-02 10:00:00.000 [INFO][70] felix/int_dataplane.go 2021: Received *proto.ActivePolicyUpdate "
        f"update from calculation graph. msg={msg} policy:{{}}"
    )

    log, change = _read(line)

    assert log.signal == "policy-updated"
    assert isinstance(change, ChangeEvent)
    assert (change.object.kind, change.object.group) == (kind, group)
    assert (change.object.namespace, change.object.name) == (namespace, name)
    assert "new to this node" in change.by


def test_a_policy_that_leaves_the_node_is_not_deleted():
    """ActivePolicyRemove says that no endpoint here needs it any more, not that the object is gone."""
    line = next(s.sample for s in SIGNALS if s.code == "policy-removed")

    assert [type(event).__name__ for event in _read(line)] == ["LogEvent"]


def test_bird_borrows_the_time_before_it_and_says_so():
    """A line without a time stands beside its neighbour, and names the line that lent it."""
    header = SIGNALS[0].sample
    _, _, bird = _read(f"{header}\nbird: Netlink: File exists\n")

    assert bird.time_source is TimeSource.ENVELOPE
    assert bird.fields == {"time_of_line": "1"}


def test_streams_do_not_continue_each_other():
    """With kubectl's prefix peeled, a continuation line belongs to the record of its own pod."""
    from flowdiag.parserkit import Envelope

    data = (
        b"2026-03-02 10:00:00.000 [ERROR][1] felix/ipsets.go 600: Failed to update IP sets. error=one\n"
        b"2026-03-02 10:00:00.000 [ERROR][2] felix/ipsets.go 600: Failed to update IP sets. error=two\n"
        b"of the first\n"
    )
    block = Block(data=data, envelope=Envelope(pod=["a", "b", "a"]), last=True)

    first, second = CalicoLog().parse(block, ParseContext(input="x"))

    assert first.fields["error"] == "one\nof the first"
    assert second.fields["error"] == "two"


@given(
    message=st.from_regex(r"[A-Z][a-z' ,.:;-]{0,30}", fullmatch=True).map(str.rstrip),
    fields=st.dictionaries(
        st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True),
        st.text(alphabet='ab ="\\\n\t{}()[]é', max_size=12),
        max_size=4,
    ),
)
def test_quoted_fields_come_back_whatever_they_hold(message, fields):
    """Fields sorted by key and quoted as Go does are cut where they were joined."""
    escape = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"})
    text = message + "".join(f' {key}="{value.translate(escape)}"' for key, value in sorted(fields.items()))

    assert split_fields(text) == (message, fields)


@given(st.text(alphabet='abz =":{}()[]\\\n', max_size=80))
def test_no_text_is_lost_between_message_and_fields(text):
    """Whatever the boundaries, every letter is in the message or in a field."""
    message, fields = split_fields(text)
    letters = "".join(message) + "".join(f"{key}{value}" for key, value in fields.items())

    assert sorted(c for c in letters if c in "abz:") == sorted(c for c in text if c in "abz:")


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("11ms", 11.0),
        ("1m4.5s", 64500.0),
        ("1h2m3s", 3_723_000.0),
        ("250µs", 0.25),
        ("soon", None),
        ("", None),
    ],
)
def test_go_durations(text, ms):
    """Go writes durations without blanks, largest unit first."""
    assert duration_ms(text) == ms
