"""A question about two workloads comes down to all pairs of their pods; one of these is shown with its walk."""

import pytest

from flowdiag.analysis.ask import Asker
from flowdiag.model.event import WorkloadRef
from flowdiag.model.policy import Dialect
from flowdiag.policy import PolicySet, compile_policies
from tests.policy.scenes import net_policy, pod, snapshot

WEB, API = (WorkloadRef("Deployment", name) for name in ("web", "api"))


def asker(labels_of_last):
    clients = [pod("shop", f"web-{n}", {"app": "web"}, ip=f"10.0.0.{n}", workload=WEB) for n in (1, 2, 3)]
    servers = [pod("shop", f"api-{n}", {"app": "api"}, ip=f"10.0.1.{n}", workload=API) for n in (1, 2)]
    servers.append(pod("shop", "api-3", labels_of_last, ip="10.0.1.3", workload=API))
    policy = net_policy(
        "shop",
        "p",
        {
            "podSelector": {"matchLabels": {"guarded": "yes"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "cron"}}}]}],
        },
    )
    state = snapshot((*clients, *servers), [policy])
    return Asker(state, compile_policies(state, dialect=Dialect.KUBERNETES))


@pytest.mark.parametrize(
    ("labels", "allowed", "shown"), [({"app": "api"}, True, "api-1"), ({"guarded": "yes"}, None, "api-3")]
)
def test_one_pair_of_many_is_walked(labels, allowed, shown, monkeypatch):
    """The walk of hundreds of pods to hundreds took 20 s for one that was shown; the answer is what it was."""
    asked = asker(labels)
    walked = []
    evaluate = PolicySet.evaluate

    def counted(self, src, dst, *args, **more):
        if more.get("walk"):
            walked.append(dst.name)
        return evaluate(self, src, dst, *args, **more)

    plain = asked.ask("shop/web", "shop/api", "TCP", 8080)
    monkeypatch.setattr(PolicySet, "evaluate", counted)
    answer = asked.ask("shop/web", "shop/api", "TCP", 8080, walk=True)

    assert walked == [shown]
    assert len(answer.pairs) == 9
    assert (answer.allowed, answer.error) == (plain.allowed, plain.error) == (allowed, plain.error)
    assert answer.ingress.walk
    assert not plain.ingress.walk
    assert [pair.decision.allowed for pair in answer.pairs] == [pair.decision.allowed for pair in plain.pairs]
