"""How often the diagnosis agrees with answers that others gave: the suites of connections beside the checkout.

    python benchmarks/diagnose_foreign.py

Refused connections become records as a source writes them that tells neither side nor policy, and nothing
about the truth is given away.  Held against it:

- side and isolating set, or deciding policy, of every refused connection that np-guard's analyser explains
  (it names the policies that select and admit nothing, or that deny);
- the code of the recipes that are told for a mistake, and for the other recipes that some code is found;
- real lines of Cilium's, file by file: refusals by policy are told as such, other drops are no policy's;
- connections that are known to be allowed, recorded as refused all the same: no policy may be accused.
"""

import csv
import sys
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "diagnose"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from diagnosis_cases import distinct_flow
from msgspec.structs import replace

from flowdiag.analysis import analyze
from flowdiag.diagnose import diagnose
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.context import Context
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.errors import InputError
from flowdiag.model.flow import Flow
from tests.policy.suite_cases import SUITES, cases, compiled, dialect_of, load
from tests.policy.test_explanations import disputed, end_of

RECIPES = {
    "recipe-07-allow-traffic-from-some-pods-in-another-namespace-namespace-not-labelled": "FD202",
    "recipe-09-allow-traffic-only-to-a-port-service-port-mistake": "FD301",
}
"""The mistakes that the recipes' text tells by name."""
POLICY_CODES = ("FD1", "FD2", "FD3", "FD4", "FD5")
_BY_POLICY = ("POLICY DENIED", "POLICY_DEN", "HTTP-REQUEST")
"""Reasons of the samples' index that are a policy's, at L3, L4 and L7."""
_STATE = {"namespaces": {}, "pods": {}}


def finding(case, policies, src, dst, protocol, port):
    """The leading finding for one refused connection, and the case; ``None`` where there is none."""
    _, snapshot = load(case)
    shape = {
        "from": "192.0.2.1",
        "to": "192.0.2.2",
        "port": f"{port}/{protocol}",
        "reason": None,
        "code": None,
    }
    distinct = distinct_flow(shape, _STATE)
    ends = [replace(side, ip=end.ip) for side, end in ((distinct.src, src), (distinct.dst, dst))]
    distinct = replace(distinct, src=ends[0], dst=ends[1], node=None, parser="aws-vpc")
    flow = Flow(
        distinct=distinct,
        src=src,
        dst=dst,
        direction=None,
        count=distinct.count,
        buckets=distinct.buckets,
        first=distinct.first,
        last=distinct.last,
    )
    decision = policies.evaluate(src, dst, protocol, port)
    context = Context(snapshot=snapshot, dialect=dialect_of(load(case)[0]))
    found = diagnose(Case(context, flow, decision, flow.first))
    return found[0] if found else None


def explained():
    """(case, explanation, finding) of each explained connection, at one port of each protocol."""
    for case in cases("policy"):
        if not load(case)[0].get("explanations"):
            continue
        expect, policies, end = compiled(case)
        for one in expect["explanations"]:
            src, dst = end_of(one["src"], end), end_of(one["dst"], end)
            if disputed((src, dst)) or any(
                each.kind is EndpointKind.EXTERNAL and each.ip is None for each in (src, dst)
            ):
                continue
            for protocol, ranges in sorted(one["connections"].items()):
                port = int(ranges[0].split("-")[0])
                yield one, finding(case, policies, src, dst, protocol, port)


def agrees(one, found):
    """What the explanation and the finding have in common, by name of the measure, right or wrong."""
    refusing = [why for why in one["why"] if why["decision"] == "denied"]
    if found is None:
        yield "named", False
        return
    yield "named", True
    whys = [why for why in refusing if why["direction"] == found.direction]
    # Some explanations of a refusal tell the side that allows alone.
    if refusing:
        yield "side", bool(whys)
    for why in whys:
        named = {(each["kind"], each["name"]) for each in why["policies"] if each["effect"] == "deny"}
        if named:
            by = found.decided_by
            yield "denying policy", by is not None and _name(by.policy) in named
            yield "code of a deny", found.code in ("FD501", "FD502", "FD503")
            continue
        wanted = {(each["kind"], each["name"]) for each in why["policies"] if each["effect"] == "no-match"}
        if wanted:
            yield "isolating set", {_name(ref) for ref in found.isolating} == wanted
            yield "no deny alleged", found.code not in ("FD501", "FD502", "FD503")


def _name(ref):
    return ref.kind, f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name


def samples():
    """(name of the measure, wanted, told) for each file of real Cilium lines that holds a drop."""
    folder = SUITES.parent / "samples" / "cilium"
    if not folder.exists():
        return
    reasons = defaultdict(set)
    with (folder / "index.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["verdict"] == "DROPPED" and row["drop_reason"] and row["kind"] != "policy":
                reasons[row["file"]].add(row["drop_reason"].upper().startswith(_BY_POLICY))
    for name, kinds in sorted(reasons.items()):
        try:
            report = analyze([str(folder / name)])
        except InputError:
            continue
        denied = [p for p in report.problems if p.verdict == "denied"]
        yield "samples: a drop by policy", True in kinds, any(p.code.startswith(POLICY_CODES) for p in denied)
        # A reply that was judged as a new connection (FD602) was refused by policy, too, though no policy is to blame.
        other = bool(report.not_policy) or any(
            not p.code.startswith((*POLICY_CODES, "FD602")) for p in denied
        )
        yield "samples: a drop that is no policy's", False in kinds, other


def measures():
    """Right and all, by measure, and how often each code was found for what is refused."""
    right, every, codes = Counter(), Counter(), Counter()

    def judge(name, answer):
        every[name] += 1
        right[name] += bool(answer)

    for one, found in explained():
        if one["verdict"] != "denied":
            judge("explained, allowed: no policy accused", not _accuses(found))
            continue
        codes[found.code if found else "none"] += 1
        for name, answer in agrees(one, found):
            judge(f"explained: {name}", answer)
    for case in cases("recipes"):
        expect, policies, end = compiled(case)
        for query in expect["queries"]:
            src, dst = end(query["src"]), end(query["dst"])
            found = finding(case, policies, src, dst, query["protocol"], query["port"])
            if query["allowed"]:
                judge("recipes, allowed: no policy accused", not _accuses(found))
                continue
            codes[found.code if found else "none"] += 1
            judge("recipes: a code of policy", _accuses(found))
            if case.name in RECIPES:
                judge("recipes told for a mistake: its code", found and found.code == RECIPES[case.name])
    for name, wanted, told in samples():
        judge(f"{name}, {'told' if wanted else 'not alleged'}", wanted == told)
    return right, every, codes


def _accuses(found):
    return found is not None and found.code.startswith(POLICY_CODES)


def main():
    """Print the measures; nothing where the suites are not beside the checkout."""
    right, every, codes = measures()
    if not every:
        print("no suites beside the checkout (shared/suites)")
        return
    for name in every:
        print(f"{name:<45} {right[name]:>5} of {every[name]:>5}  {right[name] / every[name]:.3f}")
    print("codes found for what is refused: " + ", ".join(f"{code} {n}" for code, n in codes.most_common()))


if __name__ == "__main__":
    main()
