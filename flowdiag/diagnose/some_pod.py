"""A pod to look at where an end is a workload: flow logs and Services' addresses tell no single one."""

from __future__ import annotations

from flowdiag.diagnose.context import Context
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.objects import Pod

__all__ = ["some_pod"]


def some_pod(context: Context, end: Endpoint) -> Pod | None:
    """The pod that an end is, else one of its workload's, where all of them declare the same ports.

    What comes from the workload's template is the same on all of them; addresses, names and nodes are not.
    """
    if end.pod is not None or end.workload is None or end.namespace is None:
        return end.pod
    pods = [pod for pod in context.index.by_workload.get((end.namespace, end.workload), ()) if pod.live]
    return pods[0] if pods and all(pod.ports == pods[0].ports for pod in pods) else None
