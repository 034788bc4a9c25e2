"""Metrics to a Pushgateway, against a real server on loopback."""

import base64
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from prometheus_client.parser import text_string_to_metric_families
from sample_reports import dns_story
from servers import listening

from flowdiag.deliver.gateway import push
from flowdiag.report import Options
from flowdiag.report.openmetrics import OpenMetricsReporter

TEXT = OpenMetricsReporter().render(dns_story(), Options())


def test_one_put_replaces_the_group():
    """The job's group, as the text format; what Prometheus' own parser reads of it."""
    with listening() as (port, requests):
        assert push(f"http://127.0.0.1:{port}", TEXT) is None

    ((method, path, headers, body),) = requests
    assert (method, path) == ("PUT", "/metrics/job/flowdiag")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    assert sum(sample.value for sample in families["flowdiag_problems"].samples) == len(dns_story().problems)


def test_a_group_of_ones_own_and_a_login():
    """The address may name the group; user and password become a header and leave the address."""
    with listening() as (port, requests):
        address = f"http://me:s%3Acret@127.0.0.1:{port}/push/metrics/job/net/cluster/blue"
        assert push(address, TEXT) is None

    ((_, path, headers, _),) = requests
    assert path == "/push/metrics/job/net/cluster/blue"
    assert headers["Authorization"] == f"Basic {base64.b64encode(b'me:s:cret').decode()}"
    assert "me" not in headers["Host"]


def test_what_passes_is_tried_again():
    """A gateway that restarts answers 503 for a while."""
    with listening(503, 502, 200) as (port, requests):
        assert push(f"http://127.0.0.1:{port}", TEXT) is None

    assert len(requests) == 3


def test_a_refusal_is_a_sentence_without_secrets():
    """A status, or nobody there: said with the host, and never with the password."""
    with listening(400) as (port, _):
        refused = push(f"http://me:geheim@127.0.0.1:{port}?token=geheim", TEXT)
        assert refused == f"http://127.0.0.1:{port}: metrics were refused with status 400"
    with listening(503) as (port, _):
        pass
    absent = push(f"http://me:geheim@127.0.0.1:{port}", TEXT)
    assert absent == f"http://127.0.0.1:{port}: metrics could not be pushed: nobody answers there"
    with listening(503) as (port, requests):
        busy = push(f"http://me:geheim@127.0.0.1:{port}", TEXT)
        assert busy.endswith("too many 503 error responses")
        assert len(requests) == 4


def test_what_is_no_web_address_is_said():
    """A file, a mistyped scheme, no host."""
    for address in ("pushgateway:9091", "htp://pushgateway", "http://", "http://[::1"):
        assert "address" in push(address, TEXT)
