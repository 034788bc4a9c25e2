"""What could not be read, as far as a reader needs to know it, in the words of a report."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from flowdiag.ingest import Detection, Hint, InputProblem
from flowdiag.ingest.remote import is_remote
from flowdiag.ingest.silent import NO_REFUSAL
from flowdiag.ingest.sources import STDIN
from flowdiag.model.masking import masked
from flowdiag.model.report import ReportWarning
from flowdiag.model.words import plural

if TYPE_CHECKING:
    from flowdiag.tally import Tally

__all__ = ["HARMLESS", "is_document", "nothing_usable", "parse_warnings", "said", "worth_saying"]

# Notes that people and generators lay beside evidence; no log and no object is written so.
_DOCUMENTS = (".md", ".rst", ".adoc", ".toml", ".html", ".pdf", ".png", ".svg")

# Containers of CNIs whose logs speak of their own start and health, never of refused traffic.  They run on every node, and
# a bundle is read whole without them (Antrea v2.2, Cilium 1.19, Calico v3.30, amazon-vpc-cni v1.19, kube-flannel v0.26,
# kube-router v2.4, weave v2.8, OVN-Kubernetes 4.16).
_NO_RECORDS = frozenset(
    {
        "antrea-agent",
        "antrea-controller",
        "antrea-ovs",
        "aws-node",
        "cilium-envoy",
        "cilium-operator",
        "goldmane",
        "hubble-relay",
        "kube-flannel",
        "kube-rbac-proxy",
        "kube-rbac-proxy-node",
        "kube-rbac-proxy-ovn-metrics",
        "kube-router",
        "nbdb",
        "northd",
        "ovnkube-cluster-manager",
        "ovnkube-controller",
        "sbdb",
        "weave",
        "whisker",
        "whisker-backend",
    }
)

# How names of pods begin that record traffic: of CNIs, and of what stands beside them.  A bundle holds the logs of all
# other pods too (kubectl cluster-info dump, must-gather), and those are an application's own words.
_RECORDERS = (
    *(
        "anetd",
        "antrea",
        "aws-node",
        "azure-",
        "calico",
        "canal",
        "cilium",
        "flannel",
        "flowlogs-pipeline",
        "goldmane",
        "hubble",
        "istio",
    ),
    *(
        "kindnet",
        "kube-flannel",
        "kube-network-policies",
        "kube-ovn",
        "kube-router",
        "netd",
        "netobserv",
        "ovn",
        "ovs",
    ),
    *("retina", "rke2-canal", "terway", "weave", "whisker", "ztunnel"),
)
# Proxies in the pods of applications: what they refuse stands in their own log, often in a form that somebody chose.
_SIDECARS = frozenset({"consul-dataplane", "envoy", "istio-proxy", "kuma-sidecar", "linkerd-proxy"})

# What is said and costs nothing: the input was read whole all the same.
HARMLESS = frozenset(
    {
        "ambiguous-format",
        "broken-plugin",
        "clocks-apart",
        "empty",
        "no-objects",
        "no-refusals",
        "own-report",
        "year-turned",
    }
)


def worth_saying(
    problems: Sequence[InputProblem], detected: Sequence[Detection], lists: Sequence[Detection]
) -> list[InputProblem]:
    """Problems without those of documents, endpoint lists, applications, and containers that say nothing of traffic."""
    silent = {one.source.name for one in detected if one.hint.container is not None}
    beside = {
        one.source.name for one in detected if one.hint.container in _NO_RECORDS or _is_application(one.hint)
    }
    kernels = {one.source.name for one in detected if _is_kernel_log(one)}
    of_pods = {one.source.name for one in detected if one.hint.pod is not None}
    # Where there is nothing else, the list is what was brought in place of evidence.
    known = {one.source.name for one in lists} if len(lists) < len(detected) else set()
    found = []
    for one in problems:
        if is_document(one) or one.path in known or (one.code == "empty" and one.path in silent):
            continue
        if one.code == "unknown-format" and one.path in kernels:
            continue
        if one.code == "unknown-format" and NO_REFUSAL in one.message and one.path in of_pods:
            # What to bring instead is worth saying, and nothing is missing from the bundle by this log.
            found.append(replace(one, code="no-refusals"))
            continue
        if one.code == "unknown-format" and one.path in beside:
            continue
        found.append(one)
    return found


def _is_application(hint: Hint) -> bool:
    """Whether a bundle says that it is the log of a container that records no traffic of others."""
    if hint.pod is None or hint.container in _SIDECARS:
        return False
    return not hint.pod.startswith(_RECORDERS)


def _is_kernel_log(one: Detection) -> bool:
    """Whether it is what a bundle has of a node's kernel: where no rule logs packets, no firewall's line is in it."""
    return one.hint.node is not None and one.source.name.endswith("/kern.log")


def is_document(problem: InputProblem) -> bool:
    """Whether it is of a file that is no evidence and was never meant to be."""
    return problem.code in ("unknown-format", "binary") and problem.path.lower().endswith(_DOCUMENTS)


def nothing_usable(what: str, looked_at: int, warnings: Sequence[ReportWarning]) -> tuple[str, str]:
    """What to say, and what to do, where inputs hold none of what was looked for.

    Args:
        what: ``no evidence``, ``nothing usable``.
        looked_at: how many files there were.
        warnings: what was wrong with them, the first of which is told.
    """
    first = warnings[0] if warnings else None
    if looked_at == 0 and first is not None:
        return f"{first.input}: {first.message}", _what_to_name(first)
    if looked_at == 1 and first is not None and (first.input, first.code) == (STDIN, "empty"):
        return "standard input was empty", "run the command before the pipe alone, to see what it says"
    where = f"; first: {first.input}: {first.message}" if first is not None else ""
    return (
        f"{what} in the inputs (looked at {plural(looked_at, 'file')}{where})",
        f"see what was tried: flowdiag parsers detect {_detectable(first)}",
    )


def _what_to_name(first: ReportWarning) -> str:
    """What to do where there is nothing at the place that was named."""
    if is_remote(first.input or ""):
        return ""  # the message itself says what to do
    if first.message == os.strerror(errno.EACCES):
        return "may you read it?"
    return "name a file, a folder or an archive of CNI logs"


def _detectable(first: ReportWarning | None) -> str:
    """The input to name behind ``parsers detect``, as a shell takes it; what stands in an archive is named by its kind."""
    name = first.input if first is not None else None
    return shlex.quote(name) if name is not None and "!" not in name and Path(name).exists() else "PATH"


def said(problems: Sequence[InputProblem]) -> tuple[ReportWarning, ...]:
    """Problems of inputs, as the report says them."""
    return tuple(
        ReportWarning(code=one.code, message=one.message, input=one.path, line=one.line) for one in problems
    )


def parse_warnings(tally: Tally) -> tuple[ReportWarning, ...]:
    """What parsers could not read, as the report says it."""
    return tuple(
        ReportWarning(
            code=sighting.event.code,
            message=masked(sighting.event.message),
            input=sighting.input,
            line=sighting.event.line,
        )
        for sighting in tally.warnings
    )
