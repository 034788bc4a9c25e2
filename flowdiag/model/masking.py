"""Masking credentials: logs and exports may hold some, and nobody needs them to see why traffic is refused.

Credentials are known by where they stand (in HTTP headers, as user and password or as parameters in addresses, beside
words such as ``password``) or by what they look like (JSON Web Tokens, private keys).  Only the value is replaced, so
that the record can still be read.  What merely looks random stays: ids and hashes serve as names here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["masked"]

MASK = "***"

# The ends of "Authorization", "Proxy-Authorization", "Set-Cookie" (RFC 9110, RFC 6265), "X-Vault-Token", "clientSecret",
# "db_password"; not of "socket_cookie" (Hubble's records), "cookie=0x1f" (Open vSwitch's flows), "secret=" (klog names
# an object so).
_WORD = r"(?:pass(?:word|wd|phrase)|token|(?:api|access|private|secret)[-_]?key|(?:client|shared|webhook)[-_]?secret)"
_NAME = rf'(?:authorization|(?<=["-])cookie|{_WORD})'
# "authorization":"Bearer ..", "Authorization":["Bearer .."] (Go's http.Header), {"key":"Authorization","value":".."}
# (Hubble's L7 records, v1.18), {"name":..,"value":..} (HAR, httpHeaders)
_FIELD = re.compile(
    rf'({_NAME}"\s?(?::\s?(?:\[\s?)?|,\s?"(?:raw_?)?value"\s?:\s?)")(?:[^"\\]|\\.)+', re.IGNORECASE
)
# The same in JSON that stands as text in JSON: \"password\":\"..\"
_INNER = re.compile(
    rf'({_NAME}(?P<q>\\{{1,15}}")\s?(?::\s?(?:\[\s?)?|,\s?(?P=q)(?:raw_?)?value(?P=q)\s?:\s?)(?P=q))'
    r"(?:(?!(?<!\\)(?P=q)).)+",
    re.IGNORECASE,
)
# Authorization: Basic dXNlcjpwYXNz, authorization="Bearer ..", and Cookie: to the end of what is quoted
_HEADER = re.compile(
    r"(authorization\s?[:=]\s?(?:\\{0,15}[\"'])?"
    r"(?:(?:basic|bearer|digest|negotiate|ntlm|token|apikey|oauth|aws4-hmac-sha256) |(?=[^\s\"'\\]{0,200}\d|[^\s\"'\\]{16})))"
    r"[^\s\"'\\,;]+"
    r"|(?<![\w.])(cookie: (?:\\{0,15}[\"'])?)(?!0x|\d)[^\"'\\]+",
    re.IGNORECASE,
)
# password=hunter2, token: "abc", --api-key=..
_SET = re.compile(
    rf"({_WORD}(?:=|: ?)(?:\\{{0,15}}[\"'])?)(?!\*\*\*)[^\s\"'\\,;&(){{}}\[\]<>]+", re.IGNORECASE
)
# ?pwd=..&sig=.., also presigned (X-Amz-Signature, X-Goog-Credential)
_PARAMETER = re.compile(
    r"([?&;](?:pwd|auth|secret|jwt|sid|session(?:_?id)?|sig|(?:x-[a-z]{1,8}-)?(?:signature|credential|security-token))=)"
    r"[^&\s\"'<>#\\]+",
    re.IGNORECASE,
)
# postgres://user:password@host/db
_USER = re.compile(r"(://)[^/\s\"'<>@\\]+(?=@)")
# "Bearer eyJ.." wherever it stands; "bearer token expired" is a sentence
_BEARER = re.compile(r"(bearer )(?=[^\s\"'\\]{0,400}\d)[A-Za-z0-9._~+/=-]{12,}", re.IGNORECASE)
# eyJhbGciOi...: header and claims of a JSON Web Token are objects, so that both begin alike (RFC 7519)
_JWT = re.compile(r"()(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*")
_KEY = re.compile(r"(-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY-----)[^-\"]+")

# Words that every match of a rule holds, in lower case.  To look for them first costs next to nothing.
_WORDS = ("pass", "token", "key", "secret")
_PARAMETERS = ("pwd=", "auth=", "jwt=", "sid=", "session", "sig=", "signature=", "credential=")
_HEADERS = ("authorization", '"cookie', "-cookie")
_Shown = Callable[[re.Match[str]], str]


def _first(match: re.Match[str]) -> str:
    return match[1] + MASK


def _either(match: re.Match[str]) -> str:
    return (match[1] or match[2]) + MASK


_RULES: tuple[tuple[tuple[str, ...], re.Pattern[str], _Shown], ...] = (
    (("private key",), _KEY, _first),
    ((*_HEADERS, *_WORDS), _FIELD, _first),
    (('\\"',), _INNER, _first),
    (("authorization", "cookie: "), _HEADER, _either),
    (("secret=", *_PARAMETERS), _PARAMETER, _first),
    (_WORDS, _SET, _first),
    (("@",), _USER, _first),
    (("bearer ",), _BEARER, _first),
    (("eyj",), _JWT, _first),
)
# The same for all rules together; longer where a short one stands in every record ("socket_cookie", "key").
_MARKS = (
    *(
        "password",
        "passwd",
        "passphrase",
        "token",
        "secret",
        "private key",
        "authorization",
        "bearer ",
        "eyj",
        "@",
    ),
    *('"cookie', "-cookie", "cookie: ", *_PARAMETERS),
    *(f"{word}{joint}key" for word in ("api", "access", "private") for joint in ("", "-", "_")),
)


def masked(text: str) -> str:
    """The text with ``***`` for every credential that is known by where it stands; JSON stays JSON."""
    held = text.lower()
    if not _holds(held, _MARKS):
        return text
    if "\n" in text:
        return "\n".join(map(masked, text.split("\n")))
    for marks, pattern, shown in _RULES:
        if _holds(held, marks):
            text = pattern.sub(shown, text)
    return text


def _holds(text: str, marks: tuple[str, ...]) -> bool:
    for mark in marks:  # noqa: SIM110 - a generator takes twice as long, and this is asked of every kept record.
        if mark in text:
            return True
    return False
