"""Inputs that look like others are what those are, whatever they are called."""

import random
import string
from pathlib import Path

import pytest

from flowdiag.ingest import Gathered, InputKind, ReadOptions, identify
from flowdiag.ingest.identify import detect_all
from tests.conftest import ROOT

FORMATS = ROOT / "fixtures" / "parsers"
FLOWS = next((FORMATS / "hubble-json" / "ordinary").glob("input*")).read_bytes()


def lettered(number: int) -> str:
    """A name that shares nothing with the next one's, as pods' and shippers' do."""
    return "".join(random.Random(number).choices(string.ascii_lowercase, k=12))  # noqa: S311


def found_in(folder: Path, *, whole: bool = False):
    with Gathered([str(folder)]) as gathered:
        return detect_all(gathered, ReadOptions(), whole=whole)[0]


def said(folder: Path, *, whole: bool = False):
    return [
        (Path(one.source.name).name, one.kind, one.parser, one.cni, one.stack, one.others, one.problems)
        for one in found_in(folder, whole=whole)
    ]


@pytest.fixture
def asked(monkeypatch):
    """Names of inputs that every parser was asked about."""
    names = []
    detect = identify.detect

    def counted(source, *rest):
        names.append(Path(source.name).name)
        return detect(source, *rest)

    monkeypatch.setattr(identify, "detect", counted)
    return names


def test_of_many_files_with_lines_alike_one_is_asked_about_by_all_parsers(tmp_path, asked):
    for number in range(40):
        (tmp_path / lettered(number)).write_bytes(FLOWS)
    found = found_in(tmp_path)

    assert {(one.kind, one.parser) for one in found} == {(InputKind.EVIDENCE, "hubble-json")}
    assert len(found) == 40
    assert len(asked) == 1


def test_a_few_files_are_not_learnt_from(tmp_path, asked):
    """What a line is takes longer to find out than what a few files are."""
    for number in range(4):
        (tmp_path / lettered(number)).write_bytes(FLOWS)

    assert len(found_in(tmp_path)) == len(asked) == 4


def test_a_file_with_one_other_line_at_its_end_is_asked_about(tmp_path, asked):
    drop = next((FORMATS / "weave-npc").glob("*/input*")).read_bytes()
    for number in range(5):
        (tmp_path / f"a{lettered(number)}").write_bytes(FLOWS * 40)
    (tmp_path / "z").write_bytes(FLOWS * 40 + drop)
    found = {Path(one.source.name).name: one for one in found_in(tmp_path)}

    assert "z" in asked
    assert len(asked) == 2
    assert (found["z"].among or found["z"].others) == ("hubble-json", "weave-npc")


def test_a_wrapped_line_among_bare_ones_does_not_tell_that_wrapped_ones_are_bare(tmp_path):
    """The parser of a firewall's lines finds them behind anything."""
    bare = (
        b"[ 1234.567890] calico-packet: IN=cali1 OUT=eth0 SRC=10.0.1.5 DST=192.0.2.10 LEN=60 TOS=0x00 PREC=0x00 TTL=63 "
        b"ID=1 DF PROTO=TCP SPT=40001 DPT=443 WINDOW=64240 RES=0x00 SYN URGP=0\n"
    )
    wrapped = b"2026-02-03T10:00:00+00:00 node-1 kernel: " + bare
    for name in "abcde":
        (tmp_path / name).write_bytes(bare * 5 + wrapped)
    (tmp_path / "z").write_bytes(wrapped * 5)

    assert [one.stack for one in found_in(tmp_path)] == [()] * 5 + [("syslog-iso",)]


@pytest.mark.parametrize("seed", range(6))
def test_what_files_are_is_the_same_as_if_every_parser_were_asked_about_each(tmp_path, seed):
    """Of all formats' lines, cut anywhere and joined, in files whose names have nothing in common."""
    rng = random.Random(seed)  # noqa: S311 - a test's choice
    inputs = sorted(path for path in FORMATS.glob("*/*/input*") if path.is_file())
    for number, path in enumerate(rng.sample(inputs, 12) * 3):
        lines = path.read_bytes().splitlines(keepends=True)
        cut = rng.randrange(len(lines) + 1)
        if rng.random() < 0.2:
            lines[cut:] = rng.choice(inputs).read_bytes().splitlines(keepends=True)
        (tmp_path / lettered(number * 2)).write_bytes(b"".join(lines[:cut]))
        (tmp_path / lettered(number * 2 + 1)).write_bytes(b"".join(lines[cut:]))

    assert said(tmp_path) == said(tmp_path, whole=True)


def test_fields_that_a_shipper_puts_before_all_records_do_not_tell_whose_they_are(tmp_path, asked):
    """More of them than what is looked at of a line: only the whole lines tell records of two programs apart."""
    shipped = b'{"cluster":"prod-europe-west-1","node":"worker-1.example.net",'
    flows = FLOWS.replace(b'{"flow"', shipped + b'"flow"')
    refused = (
        b'{"connection":{"src_ip":"10.84.0.12","dest_ip":"10.84.0.11","src_port":45084,"dest_port":8080,"protocol":"tcp",'
        b'"direction":"ingress"},"disposition":"deny","src":{"pod_name":"client-1","namespace":"shop"},'
        b'"dest":{"pod_name":"web-1","namespace":"shop"},"count":2,"node_name":"node-1","timestamp":"2026-01-05T10:00:00Z"}\n'
    ).replace(b"{", shipped, 1)
    for name in "abcde":
        (tmp_path / name).write_bytes(flows * 2)
    (tmp_path / "y").write_bytes(flows + refused + flows)
    (tmp_path / "z").write_bytes(flows * 3)
    found = {Path(one.source.name).name: one for one in found_in(tmp_path)}

    assert {*found["y"].among} == {"hubble-json", "gke-policy-action"}
    assert asked == ["a", "y"]


def test_records_that_share_a_line_are_told_from_lines_of_one_each(tmp_path):
    """Both begin alike; Firehose lays one record or several without a line's end into an object of a bucket."""
    for name in "abcde":
        (tmp_path / name).write_bytes(FLOWS)
    (tmp_path / "z").write_bytes(FLOWS.replace(b"\n", b""))

    assert said(tmp_path) == said(tmp_path, whole=True)
    assert found_in(tmp_path)[-1].stack == ("json-glued",)


def test_whose_cni_it_is_is_looked_for_in_as_much_of_a_file_as_of_the_first(tmp_path):
    """Events have one shape, whoever writes them; the agent's stand among thousands of others."""
    probe = (
        b'{"kind":"Event","apiVersion":"v1","metadata":{"name":"web-1.1","namespace":"shop"},"involvedObject":{"kind":"Pod",'
        b'"namespace":"shop","name":"web-1"},"reason":"Unhealthy","message":"Readiness probe failed: refused","type":'
        b'"Warning","lastTimestamp":"2026-01-05T10:00:00Z"}\n'
    )
    drop = probe.replace(b"Unhealthy", b"PacketDrop").replace(
        b"Readiness probe failed: refused",
        b"Incoming packet dropped (policy_denied) from shop/client-1 (10.0.1.5) TCP/8080",
    )
    for name in "abcde":
        (tmp_path / name).write_bytes(probe * 50)
    (tmp_path / "z").write_bytes(probe * 50 + drop + probe * 50)

    assert [one.cni for one in found_in(tmp_path)] == [None] * 5 + ["cilium"]


def test_a_wrapper_behind_fields_that_a_shipper_puts_first_is_seen(tmp_path):
    """The parser finds its words in wrapped lines, too, and the lines begin alike."""
    shipped = b'{"cluster":"prod-europe-west-1","node":"worker-1.example.net",'
    record = (
        b'{"connection":{"src_ip":"10.84.0.12","dest_ip":"10.84.0.11","src_port":45084,"dest_port":8080,"protocol":"tcp",'
        b'"direction":"ingress"},"disposition":"deny","src":{"pod_name":"client-1","namespace":"shop"},'
        b'"dest":{"pod_name":"web-1","namespace":"shop"},"count":2,"node_name":"node-1","timestamp":"2026-01-05T10:00:00Z"}'
    )
    for name in "abcde":
        (tmp_path / name).write_bytes((shipped + record[1:] + b"\n") * 9)
    entry = b'"logName":"projects/p/logs/policy-action","insertId":"a","resource":{"type":"k8s_node"},"jsonPayload":'
    (tmp_path / "z").write_bytes((shipped + entry + record + b"}\n") * 9)

    assert said(tmp_path) == said(tmp_path, whole=True)
    assert found_in(tmp_path)[-1].stack == ("cloud-logging",)
