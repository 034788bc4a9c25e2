"""Interface names that lead back to pods."""

from __future__ import annotations

import pytest

from flowdiag.parserkit import interface_name, is_workload_interface


@pytest.mark.parametrize(
    ("namespace", "pod", "prefix", "name"),
    [
        # Pairs seen together in public logs (Calico v3.27, v3.30, AWS VPC CNI).
        ("airflow", "newfmm-db-airflow-1", "cali", "cali58c64a0c8be"),
        ("default", "netperf-server-42010a800074", "cali", "cali4b8ed8b7d66"),
        ("calico-system", "csi-node-driver-tggmr", "eni", "enif327a56b833"),
    ],
)
def test_pod_gives_its_host_interface(namespace, pod, prefix, name):
    """The name is the prefix and the first 11 hex digits of sha1 of namespace.pod."""
    assert name == interface_name(namespace, pod, prefix)


@pytest.mark.parametrize("name", ["cali58c64a0c8be", "eni8d48114818c", "azv0123456789a"])
def test_workload_interface_is_known_by_its_shape(name):
    """A known prefix and 11 hex digits is the host end of a pod's veth."""
    assert is_workload_interface(name)


@pytest.mark.parametrize("name", [None, "", "eth0", "vxlan.calico", "calico_tmp_A", "cali", "cali58c64a0c8b"])
def test_other_interfaces_are_not_pods(name):
    """Host, tunnel and Calico's own helper interfaces are not taken for pods."""
    assert not is_workload_interface(name)
