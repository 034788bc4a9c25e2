"""Which flows, logs and files a cluster is asked for, from its pods and Services.

Sources of the paths: Cilium 1.19 (``hubble observe`` in the agent, ``hubble-export-file-path`` of cilium-config);
Whisker of Calico v3.30 (``whisker-backend/flows``); kubelet's ``/logs/`` endpoint, which serves the node's
``/var/log``; the CNIs' log folders as in parsers/README.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from flowdiag.cluster.agents import Agent, agent_of
from flowdiag.cluster.collect.bundle import Item
from flowdiag.cluster.live.lists import Listed

__all__ = ["Component", "HubbleItem", "LogItem", "NodeItem", "WhiskerItem", "components", "plan"]

_EXEC = '{apiGroups: [""], resources: ["pods/exec"], verbs: ["get", "create"]}'
_LOG = '{apiGroups: [""], resources: ["pods/log"], verbs: ["get"]}'
_PROXY = '{apiGroups: [""], resources: ["services/proxy"], resourceNames: ["whisker:8081"], verbs: ["get"]}'
_NODES = '{apiGroups: [""], resources: ["nodes/proxy"], verbs: ["get"]}'

_NODE_FILES = {
    "antrea": ("antrea/networkpolicy/np.log",),
    "aws": ("aws-routed-eni/network-policy-agent.log",),
    "calico": ("calico/flowlogs/flows.log", "calico/cni/cni.log", "kern.log"),
    "ovn": ("ovn/acl-audit-log.log",),
}
"""Below ``/var/log``; the kernel's log holds what Calico's Log rules write."""


_ENDED = ("Failed", "Succeeded")


class Component(Struct, frozen=True):
    """A pod of a CNI."""

    agent: Agent
    namespace: str
    name: str
    node: str
    containers: tuple[str, ...]
    restarted: frozenset[str]
    """Containers that had a life before this one."""
    ended: bool = False
    """Evicted, failed or done: it runs no command any more, and the kubelet may have kept nothing of it."""


class LogItem(Item, frozen=True):
    """A container's log."""

    namespace: str
    pod: str
    container: str
    previous: bool
    ended: bool = False
    """As of its `Component`."""


class HubbleItem(Item, frozen=True):
    """The flows that one Cilium agent saw."""

    namespace: str
    pod: str


class WhiskerItem(Item, frozen=True):
    """The flows that Whisker keeps."""

    namespace: str


class NodeItem(Item, frozen=True):
    """A file below ``/var/log`` of a node."""

    node: str
    file: str


class _Meta(Struct, frozen=True):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None


class _Container(Struct):
    name: str = ""


class _Spec(Struct, rename="camel"):
    node_name: str = ""
    containers: list[_Container] = []


class _Status(Struct, rename="camel"):
    name: str = ""
    restart_count: int = 0


class _Statuses(Struct, rename="camel"):
    phase: str = ""
    container_statuses: list[_Status] = []


class _Pod(Struct):
    metadata: _Meta = _Meta()
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Statuses = msgspec.field(default_factory=_Statuses)


class _Named(Struct):
    metadata: _Meta = _Meta()


def components(pods: Listed) -> list[Component]:
    """The CNI's pods."""
    found = []
    for raw in pods.items:
        try:
            pod = msgspec.json.decode(raw, type=_Pod)
        except msgspec.MsgspecError:
            continue  # no API server gives such a pod
        agent = agent_of(pod.metadata.labels or {})
        if agent is not None:
            found.append(
                Component(
                    agent,
                    pod.metadata.namespace,
                    pod.metadata.name,
                    pod.spec.node_name,
                    tuple(one.name for one in pod.spec.containers),
                    frozenset(one.name for one in pod.status.container_statuses if one.restart_count > 0),
                    pod.status.phase in _ENDED,
                )
            )
    return sorted(found, key=lambda one: (one.namespace, one.name))


def plan(
    found: Sequence[Component], services: Listed | None, skip: Iterable[str], *, hubble: bool = True
) -> list[Item]:
    """What to ask for beside objects, the most telling first.

    Args:
        found: the CNI's pods.
        services: the cluster's.
        skip: of ``flows``, ``logs`` and ``files``, what is not wanted.
        hubble: whether Cilium's agents keep flows.
    """
    items: list[Item] = []
    skip = set(skip)
    if "flows" not in skip:
        if hubble:
            items += _hubble(found)
        items += _whisker(services)
    if "logs" not in skip:
        items += _logs(found)
    if "files" not in skip:
        items += _files(found)
    return items


def _hubble(found: Sequence[Component]) -> Iterator[Item]:
    for one in found:
        if one.agent.label == ("k8s-app", "cilium") and "cilium-agent" in one.containers and not one.ended:
            yield HubbleItem(
                what=f"flows of {one.namespace}/{one.name} (Hubble)",
                kind="flows",
                path=f"flows/hubble/{_safe(one.node) or 'unknown-node'}/{_safe(one.name)}.json",
                rule=_EXEC,
                namespace=one.namespace,
                pod=one.name,
            )


def _whisker(services: Listed | None) -> Iterator[Item]:
    for raw in services.items if services is not None else ():
        meta = msgspec.json.decode(raw, type=_Named).metadata
        if meta.name == "whisker":
            yield WhiskerItem(
                what=f"flows of {meta.namespace}/whisker",
                kind="flows",
                path="flows/whisker/flows.json",
                rule=_PROXY,
                namespace=meta.namespace,
            )


def _logs(found: Sequence[Component]) -> Iterator[Item]:
    for one in found:
        for container in one.containers:
            for previous in (False, True) if container in one.restarted else (False,):
                end = ".previous.log" if previous else ".log"
                yield LogItem(
                    what=f"log of {one.namespace}/{one.name}/{container}{' (previous)' if previous else ''}",
                    kind="logs",
                    path=f"logs/{_safe(one.namespace)}/{_safe(one.name)}/{_safe(container)}{end}",
                    rule=_LOG,
                    namespace=one.namespace,
                    pod=one.name,
                    container=container,
                    previous=previous,
                    ended=one.ended,
                )


def _files(found: Sequence[Component]) -> Iterator[Item]:
    nodes = {(one.node, one.agent.cni) for one in found if one.agent.role == "agent" and one.node}
    for node, cni in sorted(nodes):
        for file in _NODE_FILES.get(cni, ()):
            yield NodeItem(
                what=f"/var/log/{file} of node {node}",
                kind="files",
                path=f"nodes/{_safe(node)}/{file}",
                rule=_NODES,
                node=node,
                file=file,
            )


# Names come from a server that may be anybody's; as parts of a path they are letters, digits, dots and dashes.
_ODD = re.compile(r"[^A-Za-z0-9.-]|^\.+")


def _safe(name: str) -> str:
    return _ODD.sub("_", name)[:253]
