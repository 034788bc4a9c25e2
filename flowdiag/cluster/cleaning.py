"""Bytes of a dump to clean text: encodings, line ends, and what a shell left between the objects.

Lines are blanked, never removed, so that line numbers stay those of the file.
"""

from __future__ import annotations

import re

__all__ = ["clean_text", "decoded", "without_dirt"]

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),  # PowerShell 5 redirection
    (b"\xfe\xff", "utf-16"),
)

# Lines at the first column that no manifest has, from standard error or a copied terminal:
#   No resources found in shop namespace.
#   Warning: v1 Endpoints is deprecated in v1.33+
#   Error from server (Forbidden): networkpolicies.networking.k8s.io is forbidden: ...
#   error: the server doesn't have a resource type "netpol"
#   Unable to connect to the server: dial tcp 192.0.2.1:6443: i/o timeout
#   The connection to the server localhost:8080 was refused - did you specify the right host or port?
#   E1103 12:00:00.000000   42 memcache.go:287] "Unhandled Error" err="..."
#   ops@bastion:~$ kubectl get pods -A -o yaml          PS C:\> kubectl get ns -o yaml
#   + kubectl get pods -A -o yaml                       $ oc get netpol -A -o yaml
# The line feed stands first: nearly every other line of a dump begins with a blank and is passed at once.
_DIRT = re.compile(
    r"\n(?![ \n{}\[\]\"])(?:No resources found[^\n]*|Warning: [^\n]*|Error from server[^\n]*|error: [^\n]*"
    r"|Unable to connect to the server: [^\n]*|The connection to the server [^\n]* was refused[^\n]*"
    r"|[IWEF][0-9]{4} [0-9:.]{8,15} +[0-9]+ [^\n]*"
    r"|(?:[^\n\"'{}]{0,120}?[$#>%+] )?(?:kubectl|oc|k3s kubectl|calicoctl) [^\n]*)(?=\n|\Z)"
)
# "  podIP: ***HIDDEN***" (redactors of support bundles): bare, it would be a YAML alias
_REDACTED = re.compile(r"(?<=[:-] )(\*{3}[A-Za-z_ ]{1,40}\*{3})(?=[ ]*$)", re.MULTILINE)
# helm v3.16 get all, status, install --dry-run: "NAME: shop", "LAST DEPLOYED: Tue Mar 17 14:00:00 2026", values, "HOOKS:",
# "MANIFEST:", the objects, "NOTES:" and words for people
_HELM = re.compile(r"\s*+NAME: [^\n]*\nLAST DEPLOYED: ")
_HELM_PARTS = re.compile(r"^(?:HOOKS|MANIFEST|NOTES):[ ]*$", re.MULTILINE)


def clean_text(data: bytes) -> str:
    """Decode `data` and blank what does not belong to objects.

    Raises:
        UnicodeDecodeError: not text in UTF-8, nor in what its byte order mark says.
    """
    return without_dirt(decoded(data))


def decoded(data: bytes) -> str:
    """The text that `data` is, in lines that end in a line feed.

    Raises:
        UnicodeDecodeError: not text in UTF-8, nor in what its byte order mark says.
    """
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8")
    text = data.decode(encoding)
    return text.replace("\r\n", "\n") if "\r" in text else text


def without_dirt(text: str) -> str:
    """`text` with blanks in place of what does not belong to objects."""
    text = text.rstrip("\x00\x1a")
    if _HELM.match(text):
        text = _objects_of_a_release(text)
    text = _DIRT.sub("\n", "\n" + text)[1:]
    if "***" in text:
        text = _REDACTED.sub(r'"\1"', text)
    return text


def _objects_of_a_release(text: str) -> str:
    """What Helm says of a release with blanks in place of all but its hooks and its manifest."""
    kept = ""
    at = 0
    within = False
    for mark in _HELM_PARTS.finditer(text):
        if mark[0].startswith("NOTES") and not within:
            continue  # a key of the values
        kept += (text[at : mark.start()] if within else _blank(text[at : mark.start()])) + _blank(mark[0])
        at = mark.end()
        within = not mark[0].startswith("NOTES")
        if not within:
            break
    return kept + (text[at:] if within else _blank(text[at:]))


def _blank(text: str) -> str:
    return "\n" * text.count("\n")
