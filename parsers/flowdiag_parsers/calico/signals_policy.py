"""What Felix says of policies, profiles and endpoints as they reach its node."""

from __future__ import annotations

from flowdiag_parsers.calico.signal_entry import Signal

__all__ = ["SIGNALS"]

SIGNALS: tuple[Signal, ...] = (
    # Policies and profiles as they reach this node: changed, or needed here for the first time.
    Signal(
        "policy-updated",
        "int_dataplane.go",
        "Received *proto.ActivePolicyUpdate update from calculation graph",
        '2026-03-02 10:00:00.000 [INFO][70] felix/int_dataplane.go 2021: Received *proto.ActivePolicyUpdate update from calculation graph msg=id:<tier:"default" name:"shop/default.web" > policy:<namespace:"shop" > ',
        "v3.14-v3.29; v3.30 ends the sentence before msg= and writes braces",
    ),
    Signal(
        "policy-removed",
        "int_dataplane.go",
        "Received *proto.ActivePolicyRemove update from calculation graph",
        '2026-03-02 10:00:00.000 [INFO][70] felix/int_dataplane.go 2021: Received *proto.ActivePolicyRemove update from calculation graph. msg=id:{tier:"default"  name:"shop/knp.default.web"}',
        "v3.30",
    ),
    Signal(
        "profile-updated",
        "int_dataplane.go",
        "Received *proto.ActiveProfile",
        '2026-03-02 10:00:00.000 [INFO][70] felix/int_dataplane.go 2021: Received *proto.ActiveProfileUpdate update from calculation graph msg=id:<name:"kns.shop" > profile:<> ',
        "v3.17",
    ),
    Signal(
        "endpoint-updated",
        "int_dataplane.go",
        "Received *proto.WorkloadEndpoint",
        '2026-03-02 10:00:00.000 [INFO][70] felix/int_dataplane.go 2021: Received *proto.WorkloadEndpointUpdate update from calculation graph msg=id:<orchestrator_id:"k8s" workload_id:"shop/web-0" endpoint_id:"eth0" > ',
        "v3.27",
    ),
    Signal(
        "ipset-updated",
        "int_dataplane.go",
        "Received *proto.IPSet",
        '2026-03-02 10:00:00.000 [INFO][70] felix/int_dataplane.go 2021: Received *proto.IPSetUpdate update from calculation graph msg=id:"s:abcd" ',
        "v3.27",
    ),
    # Endpoints.
    Signal(
        "endpoint-updated",
        "calc_graph.go",
        "Local endpoint updated",
        "2026-03-02 10:00:00.000 [INFO][70] felix/calc_graph.go 516: Local endpoint updated id=WorkloadEndpoint(node=node-1, orchestrator=k8s, workload=shop/web-0, name=eth0)",
        "v3.29",
    ),
    Signal(
        "endpoint-removed",
        "calc_graph.go",
        "Local endpoint deleted",
        "2026-03-02 10:00:00.000 [INFO][70] felix/calc_graph.go 520: Local endpoint deleted id=WorkloadEndpoint(node=node-1, orchestrator=k8s, workload=shop/web-0, name=eth0)",
        "v3.29",
    ),
    Signal(
        "endpoint-programmed",
        "endpoint_mgr.go",
        "Updating per-endpoint chains",
        '2026-03-02 10:00:00.000 [INFO][70] felix/endpoint_mgr.go 602: Updating per-endpoint chains. id=proto.WorkloadEndpointID{OrchestratorId:"k8s", WorkloadId:"shop/web-0", EndpointId:"eth0"}',
        "v3.27",
    ),
    Signal(
        "endpoint-removed",
        "endpoint_mgr.go",
        "Workload removed, deleting its chains",
        '2026-03-02 10:00:00.000 [INFO][70] felix/endpoint_mgr.go 560: Workload removed, deleting its chains. id=proto.WorkloadEndpointID{OrchestratorId:"k8s", WorkloadId:"shop/web-0", EndpointId:"eth0"}',
        "v3.27",
    ),
    Signal(
        "endpoint-status",
        "endpoint_mgr.go",
        "Re-evaluated workload endpoint status",
        '2026-03-02 10:00:00.000 [INFO][70] felix/endpoint_mgr.go 490: Re-evaluated workload endpoint status adminUp=true failed=false known=true operUp=true status="up" workloadEndpointID=proto.WorkloadEndpointID{OrchestratorId:"k8s", WorkloadId:"shop/web-0", EndpointId:"eth0"}',
        "v3.27",
    ),
    Signal(
        "endpoint-down",
        "status_combiner.go",
        "Endpoint down for at least one IP version",
        '2026-03-02 10:00:00.000 [INFO][70] felix/status_combiner.go 77: Endpoint down for at least one IP version id=proto.WorkloadEndpointID{OrchestratorId:"k8s", WorkloadId:"shop/web-0", EndpointId:"eth0"} ipVersion=0x4 status="down"',
        "v3.28",
    ),
    Signal(
        "endpoint-up",
        "status_combiner.go",
        "Endpoint up for at least one IP version",
        '2026-03-02 10:00:00.000 [INFO][70] felix/status_combiner.go 81: Endpoint up for at least one IP version id=proto.WorkloadEndpointID{OrchestratorId:"k8s", WorkloadId:"shop/web-0", EndpointId:"eth0"} ipVersion=0x4 status="up"',
        "v3.28",
    ),
)
