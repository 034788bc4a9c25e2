"""Text from logs, made safe for the place where it is shown.

Names, URLs, labels and raw lines are chosen by whoever sent the packet or wrote the object.  Two things
happen to all of them: characters that act instead of showing become visible, and length is bounded.
Then each format escapes what it itself would read as syntax.  HTML is left to jinja2's autoescape.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

__all__ = [
    "beginning",
    "bounded",
    "cells",
    "csv_text",
    "fitted",
    "harmless",
    "json_escaped",
    "json_in_page",
    "markdown_code",
    "markdown_fence",
    "markdown_phrase",
    "middle",
    "phrase",
    "shares",
    "visible",
    "visible_block",
]

MAX_TEXT = 600
"""Characters of one name, label or message that a person is shown."""

# Characters that act instead of showing:
#   C0 and C1 controls and DEL              ESC [ 2 J clears a terminal, CR overwrites a line
#   U+061C U+200E U+200F U+202A-E U+2066-9  change the direction of the text around them (CVE-2021-42574)
#   U+00AD U+180E U+200B-D U+2060-4 U+FEFF  nothing is seen of them: two names look like one
#   U+2028 U+2029                           end a line in JavaScript and some editors
#   U+FE00-F, U+E0100-1EF, U+E0000-7F       variation selectors and tags: invisible carriers of text
#   U+FFF9-B                                interlinear annotation
#   U+FFFE U+FFFF                           no characters: a document of XML with one is none (XML 1.0, 2.2)
#   lone surrogates                         bytes of a file name that were not UTF-8; no encoder takes them
_ACTING = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _show(match: re.Match[str]) -> str:
    character = match[0]
    named = _NAMED.get(character)
    if named is not None:
        return named
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible(text: str, limit: int = MAX_TEXT) -> str:
    """One line of text in which every acting character is shown as an escape, at most `limit` long."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        # Nearly every text is short and plain.
        return text
    return _ACTING.sub(_show, bounded(text, limit))


_ACTING_IN_JSON = re.compile(_ACTING.pattern.replace("\x00-\x1f", "", 1))
_IN_SCRIPT = re.compile(f"[<>&]|{_ACTING.pattern}")


def json_in_page(text: str) -> str:
    """JSON as it may stand in a script element: no tag, no comment, nothing that acts, the same values."""
    return _escaped(text, _IN_SCRIPT)


def json_escaped(text: str) -> str:
    """JSON in which nothing acts, the same values; C0 controls are escaped in any JSON, line ends between."""
    return _escaped(text, _ACTING_IN_JSON)


def _escaped(text: str, acting: re.Pattern[str]) -> str:
    """Each such character as JSON's escape.

    Few kinds of them stand in a text, perhaps ten million times: all of a kind are replaced when one is met.
    """
    at = 0
    while (found := acting.search(text, at)) is not None:
        units = found[0].encode("utf-16-be", "surrogatepass")
        escape = "".join(
            f"\\u{units[index] << 8 | units[index + 1]:04x}" for index in range(0, len(units), 2)
        )
        text = text.replace(found[0], escape)
        at = found.start() + len(escape)
    return text


def harmless(text: str) -> str:
    """As `visible`, of any length."""
    return _ACTING.sub(_show, text)


_BLOCK = 20_000
"""Characters of a manifest or patch that are shown."""


def visible_block(text: str) -> str:
    """Several lines (a manifest, a patch): line ends stay, tabs become blanks, the rest as `visible`."""
    lines = bounded(text, _BLOCK).replace("\r\n", "\n").expandtabs(4).split("\n")
    return "\n".join(_ACTING.sub(_show, line) for line in lines)


def bounded(text: str, limit: int = MAX_TEXT) -> str:
    """Cut in the middle where longer than `limit` characters, and say how much is left out."""
    if len(text) <= limit:
        return text
    keep = max(limit - 24, 8)
    head = keep * 2 // 3
    return f"{text[:head]}…({len(text) - keep} more)…{text[len(text) - (keep - head) :]}"


_NAME = 24
"""Characters that are left of a name at least."""


def fitted(text: str, limit: int, *, ascii_only: bool = False) -> str:
    """A sentence whose longest words are cut in the middle until it has at most `limit` characters.

    What is long in a sentence of flowdiag's are names; a cut through the sentence takes words away that say what
    these have to do with each other.  As it is where that is not enough: whoever shows it bounds it.
    """
    over = len(text) - limit
    if over <= 0:
        return text
    words = text.split(" ")
    lengths = sorted((len(word) for word in words if len(word) > _NAME), reverse=True)
    if sum(lengths) - _NAME * len(lengths) < over:
        return text
    # The longest are cut to the length of the next, until enough is gone.
    width = lengths[0]
    for number, following in enumerate([*lengths[1:], _NAME], start=1):
        if (width - following) * number >= over:
            width -= -(-over // number)
            break
        over -= (width - following) * number
        width = following
    mark = _mark(ascii_only)
    return " ".join(_both_ends(word, width, mark, len, _characters) for word in words)


def cells(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    from rich.cells import cell_len

    return cell_len(text)


def middle(text: str, width: int, *, ascii_only: bool = False) -> str:
    """Cut a name in the middle to at most `width` columns: both its ends tell pods apart.

    Of ``namespace/name`` both parts are cut, as many names begin with one namespace and end alike.
    """
    return _both_ends(text, width, _mark(ascii_only), cells, beginning)


def shares(first: str, second: str, room: int) -> tuple[int, int]:
    """Columns for two names that take more than `room` between them: half each, or what a short one leaves."""
    return _shares(cells(first), cells(second), room)


def _shares(first: int, second: int, room: int) -> tuple[int, int]:
    own = max(min(first, room // 2), room - second)
    return own, room - own


_PART = 8
"""Columns of a namespace or of a name in it that still tell something; below it the two are cut as one."""


def _both_ends(
    text: str, width: int, mark: str, size: Callable[[str], int], start: Callable[[str, int], str]
) -> str:
    """As `middle`, in units of `size`; `start` gives as much of a text's start as fits so many."""
    if size(text) <= width:
        return text
    space, slash, name = text.partition("/")
    room = width - 1
    if space and name and not _NO_NAME.search(name) and " " not in space and room >= 2 * _PART:
        parts = zip((space, name), _shares(size(space), size(name), room), strict=True)
        return slash.join(_both_ends(part, share, mark, size, start) for part, share in parts)
    room = max(width - size(mark), 2)
    tail = room // 2
    return f"{start(text, room - tail)}{mark}{start(text[::-1], tail)[::-1]}"


# Paths have more than one, sentences have blanks.
_NO_NAME = re.compile("[/ ]")


def _characters(text: str, width: int) -> str:
    return text[:width]


def _mark(ascii_only: bool) -> str:
    return "..." if ascii_only else "…"


def phrase(text: str, width: int, *, ascii_only: bool = False) -> str:
    """A visible phrase of at most `width` columns: the names in it are cut before it is."""
    shown = visible(fitted(text, width, ascii_only=ascii_only), max(width, MAX_TEXT))
    return middle(shown, width, ascii_only=ascii_only)


def beginning(text: str, width: int) -> str:
    """As much from the start as fits `width` columns."""
    used = 0
    for index, character in enumerate(text):
        used += cells(character)
        if used > width:
            return text[:index]
    return text


# Punctuation around a word that Markdown could read (CommonMark 0.31, 2.4: a backslash disarms it).
_MARKDOWN = re.compile(r"([\[\]!])")


# A word that no dialect reads anything into.  Whatever else a token holds (a slash, a dot inside, an at
# sign, an underscore), it goes into a code span: GitHub and GitLab turn "www.", "@name" and "#12" into
# links after Markdown is done, where no backslash helps.
_PLAIN_WORD = re.compile(
    r"[^\W_](?:[^\W_]|['’-](?=[^\W_]))*|\d+\.\d+|\d{1,3}(?:,\d{3}){1,5}|-[A-Za-z]|->|\d\d:\d\d(?::\d\d(?:–\d\d:\d\d:\d\d)?)?|\d{4}-\d\d-\d\d|[–—→%-]"
)
_AROUND = re.compile(r"([(\"']*)(.*?)([)\"',.;:?]*)", re.DOTALL)


def markdown_phrase(text: str, limit: int = MAX_TEXT) -> str:
    """A sentence that may hold names: plain words stay, anything else becomes a code span."""
    words: list[str] = []
    for word in visible(fitted(text, limit), limit).split(" "):
        match = _AROUND.fullmatch(word)
        before, core, after = match.groups() if match else ("", word, "")
        number = core.isdigit() and after and not words
        if core and (number or not _PLAIN_WORD.fullmatch(core)):
            words.append(f"{_disarmed(before)}{markdown_code(core, limit)}{_disarmed(after)}")
        else:
            words.append(f"{_disarmed(before)}{core}{_disarmed(after)}")
    return " ".join(words).strip() or "`-`"


def _disarmed(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)


def markdown_fence(text: str, language: str = "") -> list[str]:
    """A fenced block's lines; the fence is longer than any run of backticks within."""
    shown = visible_block(text).rstrip("\n")
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(longest + 1, 3)
    return [f"{fence}{language}", *shown.split("\n"), fence]


def markdown_code(text: str, limit: int = MAX_TEXT) -> str:
    r"""A code span: the one place where GitHub, GitLab and the rest read no links and no mentions.

    A pipe would end a table's cell even inside a code span (GFM 4.10), and dialects disagree about its
    escape there, so it is shown as ``\x7c``.
    """
    shown = visible(text, limit).replace("|", "\\x7c")
    if not shown.strip():
        return "` `" if shown else "`-`"
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


_FORMULA = ("=", "+", "-", "@", "%", "|")


_CELL = 32_000
"""Stays below the 32,767 characters that a cell may hold."""


def csv_text(text: str) -> str:
    """A cell that no spreadsheet runs: an apostrophe before whatever starts a formula (OWASP, CSV injection)."""
    shown = visible(text, _CELL)
    # Wide forms of the signs are folded to the plain ones by some spreadsheets.
    start = unicodedata.normalize("NFKC", shown.lstrip(" \"'\u00a0")[:1])
    return f"'{shown}" if start.startswith(_FORMULA) or shown.startswith(("\\t", "\\r", "\\n")) else shown
