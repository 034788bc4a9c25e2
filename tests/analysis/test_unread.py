"""Which inputs that nobody could read make the evidence incomplete."""

import pytest

from flowdiag.analysis.unread import worth_saying
from flowdiag.ingest import Detection, Gathered, Hint, InputKind, InputProblem


@pytest.mark.parametrize(
    ("pod", "container", "said"),
    [
        ("web-5d9c7b6f4-x2v4z", "web", False),
        ("web-5d9c7b6f4-x2v4z", "istio-proxy", True),
        ("cilium-x2v4z", "cilium-agent", True),
        ("flowlogs-pipeline-x2v4z", "flowlogs-pipeline", True),
        (None, None, True),
    ],
)
def test_an_application_in_a_bundle_is_passed_over_and_its_proxy_is_not(tmp_path, pod, container, said):
    """A sidecar's access log tells who was refused, in whatever form somebody has given it."""
    (tmp_path / "current.log").write_text("nobody knows this\n")
    with Gathered([str(tmp_path)]) as gathered:
        (source,) = gathered.sources
    hint = Hint(namespace="shop", pod=pod, container=container)
    problem = InputProblem(source.name, "unknown-format", "no parser is sure")
    found = worth_saying([problem], [Detection(source=source, kind=InputKind.UNKNOWN, hint=hint)], [])

    assert bool(found) is said
