"""The table of Cilium cases under ``fixtures/policy/cilium``: reading them, and asking their questions."""

import re
from functools import cache
from pathlib import Path

import msgspec
import yaml

from flowdiag.cluster import Leases, SnapshotIndex, build_snapshot, resolve_end
from flowdiag.model.event import L7, Icmp
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies
from tests.read_yaml import read_yaml

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "policy" / "cilium"

_ASK = re.compile(r"(\S+) -> (\S+) (\w+)(?: (\d+))?(?: type (\d+))?")
_WORDS = {True: "allow", False: "deny", None: "unknown"}
_SHORT = {
    "np": ("networking.k8s.io/v1", "NetworkPolicy", {"name": "n", "namespace": "shop"}),
    "cnp": ("cilium.io/v2", "CiliumNetworkPolicy", {"name": "p", "namespace": "shop"}),
    "ccnp": ("cilium.io/v2", "CiliumClusterwideNetworkPolicy", {"name": "c"}),
}


def cases():
    """Every case as (file's stem, case)."""
    return [
        (path.stem, case)
        for path in sorted(FOLDER.glob("[0-9]*.yaml"))
        for case in read_yaml(path.read_text())
    ]


def objects(case):
    """The objects of a case beside the cluster's."""
    found = list(case.get("policies", ())) + list(case.get("objects", ()))
    for short, (version, kind, metadata) in _SHORT.items():
        if short in case:
            found.append({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": case[short]})
    if "config" in case:
        metadata = {"name": "cilium-config", "namespace": "kube-system"}
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": case["config"]})
    return found


@cache
def cluster():
    return (FOLDER / "cluster.yaml").read_bytes()


def compiled(case, dialect=Dialect.CILIUM):
    """The case's policies over the common cluster, and a function from an end's text to an endpoint."""
    text = yaml.safe_dump_all(objects(case)).encode()
    snapshot, _ = build_snapshot([("cluster.yaml", cluster()), ("case.yaml", text)])
    leases, index = Leases(snapshot), SnapshotIndex(snapshot)

    def end(word):
        plain = not re.search(r"[/.:]", word)
        (found,) = resolve_end(f"shop/{word}" if plain else word, snapshot, leases, index)
        return found

    return compile_policies(snapshot, dialect=dialect), end


def answer(policies, end, query, **more):
    """Ask one query of a case: the decision on the connection, or on the one end that it names."""
    src, dst, protocol, port, kind = _ASK.fullmatch(query["ask"]).groups()
    ends = []
    for side, word in (("src", src), ("dst", dst)):
        labels = query.get(f"{side}_labels")
        changes = {
            "identity_labels": tuple(sorted((k, v) for k, _, v in (each.partition("=") for each in labels)))
            if labels
            else None,
            "identity": query.get(f"{side}_identity"),
            "dns_names": tuple(query.get(f"{side}_names", ())),
        }
        ends.append(msgspec.structs.replace(end(word), **changes))
    return policies.evaluate(
        *ends,
        protocol,
        int(port) if port else None,
        icmp=Icmp(int(kind), 0) if kind else None,
        l7=L7(**query["l7"]) if "l7" in query else None,
        **more,
    )


def check(case):
    """What is wrong with the answers to a case; empty where nothing is."""
    policies, end = compiled(case)
    wrong = []
    for query in case["expect"]:
        found = answer(policies, end, query)
        side = getattr(found, query["end"]) if "end" in query else found
        told = [each for each in (found.egress, found.ingress) if each is not None]
        open_ends = [each for each in told if each.allowed is not True]
        deciding = open_ends[0] if open_ends else max(told, key=lambda each: each.decided_by is not None)
        if "end" in query:
            deciding = side
        got = {"is": _WORDS[side.allowed]}
        if "by" in query:
            by = deciding.decided_by
            got["by"] = by and f"{by.policy.name} {by.rule} {by.action}"
        if "isolated" in query:
            got["isolated"] = [each.name for each in deciding.isolated_by]
        if "misses" in query:
            near = deciding.nearest[0].misses if deciding.nearest else ()
            got["misses"] = [[each.condition.value, each.wanted, each.found] for each in near]
        for field in ("unknown", "notes"):
            if field in query:
                texts = getattr(deciding, field)
                got[field] = query[field] if query[field] in "; ".join(texts) else texts
        wanted = {key: query[key] for key in got}
        if got != wanted:
            wrong.append((query["ask"], {k: (wanted[k], got[k]) for k in got if got[k] != wanted[k]}))
    return wrong
