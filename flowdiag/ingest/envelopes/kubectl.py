"""What kubectl, oc, grep and a container's own log daemon put in front of lines.

Sources: ``kubectl logs --help``; ``oc adm node-logs``; must-gather's ``current.log`` is fetched with time
stamps; ``svlogd -ttt`` in calico-node; kubectl ``pkg/cmd/clusterinfo/clusterinfo_dump.go``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace

from flowdiag.ingest.envelopes.header import Header
from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, ends_open, instant, rows_from
from flowdiag.parserkit import ParseContext

__all__ = ["DumpSections", "GrepPrefix", "KubectlPrefix", "KubectlTimestamps", "NodeLogs", "Svlogd"]


class KubectlTimestamps(Header):
    """``kubectl logs --timestamps``: RFC 3339 with nanoseconds, a blank, the line; CloudWatch's console copies a tab between."""

    name = "kubectl-timestamps"
    # "2025-05-14T14:03:12.345678901Z level=info msg=..."  kubectl v1.30, must-gather 4.16, cilium sysdump 1.20
    # "2023-12-06T14:25:58.455-06:00\tNode: ip-10-0-1-2.ec2.internal;SIP: 192.0.2.1;SPORT: ..."   CloudWatch's console, 2023
    pattern = re.compile(
        rb"^(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))(?:[ \t]|$)",
        re.MULTILINE,
    )


class KubectlPrefix(Header):
    """``kubectl logs --prefix``."""

    name = "kubectl-prefix"
    # "[pod/cilium-x7k2p/cilium-agent] level=info ..."  kubectl v1.30
    pattern = re.compile(
        rb"^\[pod/(?P<pod>[^/\]\n]{1,253})/(?P<container>[^/\]\n]{1,63})\](?: |$)", re.MULTILINE
    )

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`; a line of a pod in its node's network is of that node."""
        peeled, nodes = super().peel(rows), self.context.pod_nodes
        if not nodes or peeled.node is not None or peeled.pod is None:
            return peeled
        found = [None if pod is None else nodes.get(pod) for pod in peeled.pod]
        return replace(peeled, node=found) if any(found) else peeled


class GrepPrefix(Header):
    """``grep`` over several files: the file's name, the line's number if it was asked for, the line.

    Below a node's ``/var/log/pods`` the name tells whose log it is.
    """

    name = "grep"
    # '/var/log/pods/kube-system_weave-net-2xkzp_0f1e2d3c/weave-npc/0.log:2026-01-05T10:00:00.1Z stderr F WARN: ...'   GNU grep 3.8 -r
    # With -n: "node-1/np.log.1:17:2026/01/05 23:24:38.422233 IngressDefaultRule K8sNetworkPolicy <nil> Ingress Drop ..."
    pattern = re.compile(
        rb"^(?:(?:[^\s:]{0,400}/)?pods/(?P<namespace>[a-z0-9-]{1,63})_(?P<pod>[a-z0-9.-]{1,253})_[a-z0-9-]{1,63}"
        rb"/(?P<container>[a-z0-9-]{1,63})/|[^\s:]{0,400}/)?(?:[A-Za-z0-9_@.+-]{1,200}\.(?:log|jsonl?|txt|out)|syslog|messages)"
        rb"(?:[.-][0-9A-Za-z.-]{1,60})?:(?:\d{1,9}:)?",
        re.MULTILINE,
    )


class NodeLogs(Header):
    """``oc adm node-logs`` of a JSON log (audit), of OVN's, of journals: the node's name, a blank, the record."""

    name = "node-logs"
    # 'master-0.example.com {"kind":"Event","apiVersion":"audit.k8s.io/v1",...}'  oc 4.14
    # "worker-1.example.com Jan 05 10:00:00.123456 worker-1 kubenswrapper[2431]: ..."      oc 4.14 -u kubelet --role=worker
    # 'worker-1.example.com 2023-11-02T16:28:54.139Z|00004|acl_log(ovn_pinctrl0)|INFO|name="NP:shop:Ingress", ...'  oc 4.14
    pattern = re.compile(
        rb"^(?P<node>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?) (?=\{\"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\|\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\.\d{6} )",
        re.MULTILINE,
    )


class Svlogd(Header):
    """``svlogd -tt`` and ``-ttt`` in calico-node's own log folder: UTC, five digits, no zone."""

    name = "svlogd"
    # "2024-06-01_04:39:44.04123 2024-06-01 04:39:44.041 [INFO][69] felix/..."   svlogd -tt
    # "2024-06-01T04:39:44.04123 2024-06-01 04:39:44.041 [INFO][69] felix/..."   svlogd -ttt, calico/node v3.27
    pattern = re.compile(rb"^(?P<at>\d{4}-\d\d-\d\d[_T]\d\d:\d\d:\d\d\.\d{5})(?: |$)", re.MULTILINE)

    def stamp(self, text: bytes) -> int | None:
        """See `Header.stamp`."""
        return instant(text.decode("ascii").replace("_", "T") + "Z")


class DumpSections(Layer):
    """The sections of ``logs.txt`` in ``kubectl cluster-info dump``: one after another, all containers of a pod."""

    name = "cluster-info-dump"
    splittable: ClassVar[bool] = False
    # "==== START logs for container weave-npc of pod kube-system/weave-net-2xkzp ===="  kubectl v1.30
    _MARK = re.compile(
        rb"^==== (START|END) logs for container (\S{1,63}) of pod ([^/\s]{1,63})/(\S{1,253}) ====\r?$",
        re.MULTILINE,
    )

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._inside: tuple[str | None, str | None, str | None] = (None, None, None)

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """One marker among the first lines decides: nothing else writes it."""
        return 1.0 if any(cls._MARK.match(line) for line in lines[:20]) else 0.0

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        out: list[Row] = []
        mark: re.Match[bytes] | None = None
        for row in rows:
            mark = self._MARK.match(row.data)
            if mark is None:
                namespace, pod, container = self._inside
                out.append(
                    row._replace(
                        namespace=namespace or row.namespace,
                        pod=pod or row.pod,
                        container=container or row.container,
                    )
                )
            elif mark[1] == b"START":
                self._inside = (mark[3].decode(), mark[4].decode("utf-8", "replace"), mark[2].decode())
            else:
                self._inside = (None, None, None)
        return rows_from(out, year_inferred=rows.year_inferred, open_end=mark is None and ends_open(rows))
