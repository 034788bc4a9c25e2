"""Addresses may hold secrets, which are never shown nor stored."""

import pytest

from flowdiag.deliver.places import place_of
from flowdiag.model.errors import UsageError
from flowdiag.model.urls import shown


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("s3://bucket/reports", "s3://bucket/reports"),
        ("s3://AKIA:geheim@bucket/reports?token=geheim#geheim", "s3://bucket/reports"),
        ("ftp://me:gehe%40im@host:21/x", "ftp://host:21/x"),
        ("http://a@geheim@host/x", "http://host/x"),
        ("https://geheim@[2001:db8::1]:9091/x", "https://[2001:db8::1]:9091/x"),
        ("http://[geheim", "http://(unreadable)"),
        ("http://me:gehe/im@host/x", "http://(unreadable)"),
        ("simplecache::s3://me:geheim@bucket/x", "simplecache::s3://bucket/x"),
        ("/var/lib/reports", "/var/lib/reports"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address, says):
    """User, password, query and fragment go; a path stays as it is."""
    assert shown(address) == says


def test_an_address_that_nobody_knows_is_a_usage_error_without_secrets():
    """What cannot be reached is said before anything is read."""
    pytest.importorskip("fsspec")
    with pytest.raises(UsageError) as error:
        place_of("nonsense://me:geheim@host/x")

    assert "nonsense://host/x" in str(error.value)
    assert "geheim" not in str(error.value)


def test_a_remote_folder_is_known_by_its_address_without_secrets(tmp_path):
    """What the history stores of it."""
    pytest.importorskip("fsspec")

    assert place_of(f"{(tmp_path / 'r').as_uri()}?secret=geheim").key.startswith("file:///")
    assert "geheim" not in place_of(f"{(tmp_path / 'r').as_uri()}?secret=geheim").key
