"""OVN's log of an EgressFirewall: it names the namespace, of which the object has its one possible name."""

from flowdiag.analysis import analyze

LINE = (
    '2026-11-03T10:24:38.422Z|00021|acl_log(ovn_pinctrl0)|INFO|name="EF:build:1", verdict=drop, severity=alert, '
    "direction=to-lport: tcp,vlan_tci=0x0000,dl_src=0a:58:0a:80:02:0e,dl_dst=0a:58:0a:80:02:01,nw_src=10.128.2.14,"
    "nw_dst=192.0.2.11,nw_tos=0,nw_ecn=0,nw_ttl=63,nw_frag=no,tp_src=45128,tp_dst=6443,tcp_flags=syn\n"
)


def test_the_recorded_policy_has_the_name_that_every_egress_firewall_has(tmp_path):
    """The words of the log (EF:build:1) are no name that anybody could look for."""
    log = tmp_path / "acl-audit-log.log"
    log.write_text(LINE)

    (problem,) = analyze([str(log)]).problems

    (recorded,) = problem.recorded
    assert (recorded.kind, recorded.namespace, recorded.name, recorded.rule) == (
        "EgressFirewall",
        "build",
        "default",
        "egress[1]",
    )
    assert "is meant to be reached" in problem.advice
