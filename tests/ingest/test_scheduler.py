"""Tasks for workers elsewhere, without a Dask cluster."""

import pickle

import pytest

import flowdiag
from flowdiag.ingest.scheduler import Cluster
from flowdiag.model.errors import ClusterError


class Elsewhere:
    """A client whose only worker is this process, which may have got another version meanwhile."""

    def __init__(self, monkeypatch, version):
        self._monkeypatch = monkeypatch
        self._version = version

    def submit(self, function, *arguments, **_how):
        self._monkeypatch.setattr(flowdiag, "__version__", self._version)
        return function(*arguments)


def test_a_worker_of_another_version_that_came_later_reads_nothing(monkeypatch):
    """Workers are looked at before the first task; one that comes afterwards may be of any version."""
    same = Cluster(Elsewhere(monkeypatch, flowdiag.__version__), "tcp://x:8786")
    other = Cluster(Elsewhere(monkeypatch, "0.0.9"), "tcp://x:8786")

    assert same.submit(sum, [1, 2], key="a") == 3
    with pytest.raises(ClusterError, match=r"came later has flowdiag 0\.0\.9, this is ") as caught:
        other.submit(sum, [1, 2], key="a")
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own

    assert again.hint == caught.value.hint
