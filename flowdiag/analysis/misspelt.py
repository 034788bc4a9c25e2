"""What a name in a selection may have been meant for, where nothing that was read goes by it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from flowdiag.analysis.options import Selection
from flowdiag.model.event import Peer
from flowdiag.model.objects import Snapshot

__all__ = ["misspelt"]

_PROTOCOLS = ("TCP", "UDP", "SCTP", "ICMP", "ICMPv6")
_NAMED = 6
"""Namespaces that are listed where none is spelt nearly so."""
_NEAR = 3


def misspelt(selection: Selection, peers: Iterable[Peer], snapshot: Snapshot | None) -> Iterator[str]:
    """Yield a sentence for each name that no record and no object has.

    Args:
        selection: what was asked for.
        peers: ends as the records name them.
        snapshot: the cluster's objects, if any were read.
    """
    spaces: set[str] = set()
    pods: set[tuple[str, str]] = set()
    shortened: set[tuple[str, str]] = set()
    for peer in peers:
        if peer.namespace is not None:
            spaces.add(peer.namespace)
            if peer.pod is not None and peer.pod.endswith("-*"):
                shortened.add((peer.namespace, peer.pod))
            names = (peer.pod, peer.workload.name if peer.workload else None)
            pods.update((peer.namespace, name) for name in names if name is not None)
    if snapshot is not None:
        spaces.update(snapshot.namespaces)
        for pod in snapshot.pods:
            spaces.add(pod.namespace)
            names = (pod.name, pod.workload.name if pod.workload else None)
            pods.update((pod.namespace, name) for name in names if name is not None)
    for namespace in selection.namespaces:
        if namespace not in spaces:
            yield f"no namespace {namespace} is known{_instead(namespace, spaces)}"
    for wanted in dict.fromkeys((selection.from_pod, selection.to_pod)):
        if wanted is not None:
            of_all = list(_shortened(wanted, shortened, snapshot))
            yield from of_all or _no_pod(wanted, spaces, pods)
    if selection.protocol is not None and selection.protocol.upper() not in map(str.upper, _PROTOCOLS):
        near = difflib.get_close_matches(selection.protocol.upper(), _PROTOCOLS, n=1)
        if near:
            yield f"did you mean protocol {near[0]}?"


def _no_pod(wanted: str, spaces: set[str], pods: set[tuple[str, str]]) -> Iterator[str]:
    where, separator, name = wanted.rpartition("/")
    if separator and where not in spaces:
        yield f"no namespace {where} is known{_instead(where, spaces)}"
        return
    known = {own: f"{space}/{own}" for space, own in sorted(pods) if not separator or space == where}
    if any(own.startswith(name) for own in known):
        return
    near = difflib.get_close_matches(name, sorted(known), n=_NEAR)
    if not near:
        known = {own: f"{space}/{own}" for space, own in sorted(pods)}
        near = [own for own in sorted(known) if own.startswith(name)]
    # Pods are called after their workload, which is the shorter name and stands for all of them.
    short = [own for own in near if not any(own != other and own.startswith(f"{other}-") for other in near)][
        :_NEAR
    ]
    inside = f" in {where}" if separator else ""
    meant = f"; did you mean {' or '.join(known[own] for own in short)}?" if short else ""
    yield f"no pod or workload {name} is known{inside}{meant}"


def _shortened(wanted: str, shortened: set[tuple[str, str]], snapshot: Snapshot | None) -> Iterator[str]:
    """That records name a pod only together with the others of its workload, as Whisker's do."""
    where, separator, name = wanted.rpartition("/")
    for space, short in sorted(shortened):
        if (separator and space != where) or not name.startswith(short[:-1]):
            continue
        owners = {
            f"{space}/{pod.workload.name}"
            for pod in (snapshot.pods if snapshot is not None else ())
            if (pod.namespace, pod.name) == (space, name) and pod.workload is not None
        }
        yield f"the records shorten names of pods, this one's to {space}/{short}" + "".join(
            f"; did you mean {owner}?" for owner in sorted(owners)
        )
        return


def _instead(namespace: str, spaces: set[str]) -> str:
    """Each name stands behind its kind, where redaction knows it for one."""
    if not spaces:
        return ": no record names one"
    near = difflib.get_close_matches(namespace, sorted(spaces), n=_NEAR)
    if near:
        return f"; did you mean {' or '.join(f'namespace {one}' for one in near)}?"
    more = f" and {len(spaces) - _NAMED} more" if len(spaces) > _NAMED else ""
    listed = ", ".join(f"namespace {one}" for one in sorted(spaces)[:_NAMED])
    return f"; known are {listed}{more}"
