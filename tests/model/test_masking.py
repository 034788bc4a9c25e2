"""Credentials in texts: what goes, and what only looks alike and stays."""

import json

import pytest

from flowdiag.cluster.collect.masks import Masking
from flowdiag.model.masking import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"key":"Cookie","value":"a=\\"b\\";c","x":1}', '{"key":"Cookie","value":"***","x":1}'),
        ('{"Authorization":["Basic dTpw"],"x":[2]}', '{"Authorization":["***"],"x":[2]}'),
        (
            '{"m":"{\\"dbPassword\\":\\"a\\\\\\"b\\",\\"x\\":1}"}',
            '{"m":"{\\"dbPassword\\":\\"***\\",\\"x\\":1}"}',
        ),
        ('curl -H "Authorization: Bearer abc.d" x', 'curl -H "Authorization: Bearer ***" x'),
        ("Set-Cookie: a=b; Path=/", "Set-Cookie: ***"),
        ("password=a token: b --api-key=c", "password=*** token: *** --api-key=***"),
        ("postgres://u:p@h/d?sslmode=on", "postgres://***@h/d?sslmode=on"),
        ("GET /x?a=1&X-Amz-Signature=ab&b=2", "GET /x?a=1&X-Amz-Signature=***&b=2"),
        ("sent bearer abcdefgh12345", "sent bearer ***"),
        ("x eyJhbGciOi.eyJzdWIiOi.c-d_e y", "x *** y"),
        ("-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END", "-----BEGIN RSA PRIVATE KEY-----***-----END"),
    ],
)
def test_a_credential_is_masked_where_it_stands(text, shown):
    """And nothing beside it; what was masked stays as it is."""
    assert masked(text) == shown
    assert masked(shown) == shown
    if text.startswith("{"):
        json.loads(shown)


@pytest.mark.parametrize(
    "text",
    [
        'cookie=0x1f, priority=3, "socket_cookie":"1234"',
        'msg="Reconciling" secret="kube-system/registry"',
        "the bearer token expired, continue token: ",
        "authorization: denied by policy",
        "image app@sha256:12ab, mail a@b.example",
        "http://[2001:db8::1]:80/x, key=app identity=7 tokens=5",
    ],
)
def test_what_only_looks_alike_stays(text):
    """A line says why traffic is refused; a word that is masked for nothing may be the one that counts."""
    assert masked(text) == text


def test_lines_of_a_stream_are_masked_whole():
    """However it was cut into pieces, whatever its encoding, with or without a newline at its end."""
    data = b"a\xff password=abc\nhttp://u:p@h/ b\n\npassword=end"
    for size in (1, 3, 7, len(data)):
        found = []
        stream = Masking(found.append)
        for at in range(0, len(data), size):
            stream(data[at : at + size])
        stream.end()

        assert b"".join(found) == b"a\xff password=***\nhttp://***@h/ b\n\npassword=***"
