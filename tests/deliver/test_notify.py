"""Notifications through apprise, against a real server on loopback."""

import base64
import json
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pytest
from servers import listening

from flowdiag.deliver.notify import notify

# Apprise reaches for a module that Python has given up since.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

FILES = {"report.md": ("text/markdown", b"### Denied"), "report.png": ("image/png", b"\x89PNG\r\n\x1a\n")}


def send(*addresses):
    return notify(addresses, title="flowdiag: 1 new problem", body="- **HIGH** `FD401`", attachments=FILES)


def test_a_webhook_gets_the_words_the_markdown_and_the_picture():
    """One request with title, body and both attachments, byte for byte."""
    with listening() as (port, requests):
        assert send(f"json://127.0.0.1:{port}/hook") == []

    ((method, path, _, body),) = requests
    sent = json.loads(body)
    assert (method, path) == ("POST", "/hook")
    assert sent["title"] == "flowdiag: 1 new problem"
    assert "FD401" in sent["message"]
    got = {one["filename"]: (one["mimetype"], base64.b64decode(one["base64"])) for one in sent["attachments"]}
    assert got == FILES


def test_one_address_that_fails_does_not_stop_the_others():
    """Each failure is a sentence with its place and status."""
    with listening(404) as (bad, _), listening() as (good, requests):
        said = send(f"json://127.0.0.1:{bad}/a", f"json://127.0.0.1:{good}/b")

    assert said == ["notification 1 (json) did not get through: status 404"]
    assert len(requests) == 1


def test_no_secret_of_an_address_is_ever_said(capfd, caplog):
    """Neither in what is returned nor in a log, whatever the library itself would say."""
    with listening(403) as (port, _):
        addresses = [
            f"json://me:geheim@127.0.0.1:{port}/geheim?+X-Token=geheim",
            "slack://geheim",
            "nonsense://geheim/geheim",
            "geheim",
            "json://127.0.0.1:1/geheim",
        ]
        with caplog.at_level(logging.DEBUG):
            said = send(*addresses)

    assert len(said) == 5
    streams = capfd.readouterr()
    for text in (*said, streams.out, streams.err):
        assert "geheim" not in text
    assert not [
        one for one in caplog.records if one.name.startswith("apprise") and "geheim" in one.getMessage()
    ]
