"""Which node a file is from, and the endpoint ids of that node, as far as the cluster's objects tell."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.cluster.endpoint_list import LocalEndpoint, read_endpoint_list, sniff_endpoint_list
from flowdiag.cluster.manifests import Manifest, as_objects, read_manifest
from flowdiag.ingest import Detection, InputKind
from flowdiag.ingest.bundles import Role
from flowdiag.ingest.envelopes.kubectl import KubectlPrefix
from flowdiag.ingest.reading import Source, read_head
from flowdiag.model.objects import Pod

__all__ = ["Placed", "is_endpoint_list", "place_agents"]

_MONITORS = ("cilium-monitor", "cilium-monitor-json")
_AGENTS = ("cilium-agent-log", "calico-log")
# "cilium-x7k2p.log", "pods/kube-system_calico-node-4c6tq_0f1e/calico-node/0.log": a DaemonSet's pod has an end of this alphabet
# (k8s.io/apimachinery util/rand), so that the state is read for a name only where it may hold one.
_OF_A_POD = re.compile(r"[a-z0-9]-[bcdfghjklmnpqrstvwxz2456789]{5}(?![a-z0-9])")
_LIST_BYTES = 64 << 20
"""A node has at most some hundred endpoints of some kilobytes each."""
_WORD = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


class Placed(Struct, frozen=True, kw_only=True):
    """What is known of nodes before evidence is read."""

    detected: tuple[Detection, ...]
    """As given, with nodes filled in."""
    endpoint_ids: dict[str, dict[int, str]]
    """Node to its endpoints' numbers, to ``namespace/pod``."""
    pod_nodes: dict[str, str] = {}
    """Pods in their node's network, where one name has one node."""
    manifests: dict[str, Manifest]
    """Cluster objects that had to be read for it, by input, so that they are not read again."""


def is_endpoint_list(one: Detection) -> bool:
    """Whether an input is an agent's list of endpoints, by its place in a bundle or by its head."""
    if one.hint.role is Role.ENDPOINTS:
        return True
    if one.kind is not InputKind.UNKNOWN:
        return False
    return sniff_endpoint_list(read_head(one.source, 1 << 16))


def place_agents(
    detected: Sequence[Detection],
    state: Sequence[tuple[str, bytes]],
    lists: Sequence[Detection],
    read: Mapping[str, Manifest],
) -> Placed:
    """Tell the nodes of logs by their pods, and of monitor output by what it lies beside.

    A log of a pod in its node's network is of that pod's node.  The monitor's output says nothing of where
    it was taken: its name may hold the agent's pod or the node, a list of endpoints may lie beside it, or
    there is only one node it can be of.  An agent's log that was taken by itself has its pod's name, or lies in
    a folder of it.

    Args:
        detected: every input.
        state: cluster objects, read only where a node is to be told.
        lists: the inputs that are lists of endpoints.
        read: state that was read already, by input.
    """
    if not lists and not any(_nodeless(one) for one in detected):
        return Placed(detected=tuple(detected), endpoint_ids={}, manifests=dict(read))
    manifests = {name: read.get(name) or read_manifest(name, data) for name, data in state}
    pods = [
        value
        for manifest in manifests.values()
        for entry in manifest.entries
        for value in as_objects(entry.value)
        if isinstance(value, Pod) and not value.template
    ]
    nodes = _Nodes(pods, manifests.values())
    known = [
        replace(one, hint=replace(one.hint, node=nodes.of_pod(one.hint.pod, one.hint.namespace)))
        if _nodeless(one) and one.hint.pod is not None
        else one
        for one in detected
    ]
    by_node: dict[str, dict[int, str]] = {}
    folders: dict[str, str] = {}
    for one in lists:
        node = nodes.of_pod(one.hint.pod, None) or nodes.of_name(one.source.place) or nodes.only
        if node is None and not (len(lists) == 1 and nodes.none):
            continue
        # Where no file names a node, the only list belongs to the only node.
        node = node or ""
        by_node.setdefault(node, {}).update(_ids(_whole(one.source), pods, node))
        folders.setdefault(_folder(one.source), node)
    placed = []
    for one in known:
        if one.kind is InputKind.EVIDENCE and one.parser in _MONITORS and one.hint.node is None:
            node = nodes.of_name(one.source.place) or folders.get(_folder(one.source)) or nodes.only
            placed.append(replace(one, hint=replace(one.hint, node=node)) if node else one)
        elif _is_of_an_agent(one) and (node := nodes.of_name(one.source.place, parts=3)):
            placed.append(replace(one, hint=replace(one.hint, node=node)))
        else:
            placed.append(one)
    return Placed(detected=tuple(placed), endpoint_ids=by_node, pod_nodes=nodes.of_pods, manifests=manifests)


def _nodeless(one: Detection) -> bool:
    if one.kind is not InputKind.EVIDENCE or one.hint.node is not None:
        return False
    return one.hint.pod is not None or one.parser in _MONITORS or _is_of_an_agent(one)


def _is_of_an_agent(one: Detection) -> bool:
    """Whether it is an agent's log of no known node whose name, or lines, may hold the agent's pod."""
    told = one.kind is not InputKind.EVIDENCE or one.hint.node is not None or one.parser not in _AGENTS
    if not told and KubectlPrefix.name in one.stack:
        return True  # each line says whose it is
    return not told and _OF_A_POD.search("/".join(one.source.place.split("/")[-3:])) is not None


class _Nodes:
    """Nodes by the pods that run in their network, and by name."""

    def __init__(self, pods: Iterable[Pod], manifests: Iterable[Manifest]) -> None:
        self._of: dict[str, set[tuple[str, str]]] = defaultdict(set)
        names = set()
        for pod in pods:
            if pod.node is None:
                continue
            names.add(pod.node)
            if pod.host_network:
                self._of[pod.name].add((pod.namespace, pod.node))
        for manifest in manifests:
            keys = (entry.key for entry in manifest.entries)
            names.update(name for group, kind, _, name in keys if (group, kind) == ("", "Node"))
        self._names = names
        self.none = not names
        """The state names no node."""
        self.only = next(iter(names)) if len(names) == 1 else None
        """The cluster's one node."""

    @property
    def of_pods(self) -> dict[str, str]:
        """Every pod's node, where one name has one."""
        return {pod: next(iter(at))[1] for pod, at in self._of.items() if len(at) == 1}

    def of_pod(self, pod: str | None, namespace: str | None) -> str | None:
        """The node of a pod in its node's network; ``None`` where two pods have that name."""
        found = {node for place, node in self._of.get(pod or "", ()) if namespace in (None, place)}
        return found.pop() if len(found) == 1 else None

    def of_name(self, place: str, parts: int = 2) -> str | None:
        """The node whose name, or whose pod's name, stands in the last parts of a path; ``None`` where not exactly one does."""
        found = set()
        for part in place.split("/")[-parts:]:
            stem = part.partition(".")[0]
            for word in _WORD.findall(stem):
                found |= {name for name in self._names if _holds(word, name)}
                found |= {node for pod, at in self._of.items() if _holds(word, pod) for _, node in at}
        return found.pop() if len(found) == 1 else None


def _holds(text: str, name: str) -> bool:
    return re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", text) is not None


def _folder(source: Source) -> str:
    return f"{source.root}\0{source.place.rpartition('/')[0]}"


def _ids(endpoints: Iterable[LocalEndpoint], pods: Iterable[Pod], node: str) -> dict[int, str]:
    by_ip: dict[str, set[str]] = defaultdict(set)
    for pod in pods:
        if pod.live and not pod.host_network and node in ("", pod.node):
            for ip in pod.ips:
                by_ip[ip].add(f"{pod.namespace}/{pod.name}")
    found = {}
    for one in endpoints:
        names = {one.pod} if one.pod else set().union(*(by_ip.get(ip, set()) for ip in one.ips))
        if len(names) == 1:
            found[one.id] = names.pop()
    return found


def _whole(source: Source) -> list[LocalEndpoint]:
    return read_endpoint_list(read_head(source, _LIST_BYTES))
