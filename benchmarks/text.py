"""How fast text forms of Cilium's, Calico's and AWS's records are read, in MB/s, beside two yardsticks.

Run ``python benchmarks/text.py [--megabytes 20] [--rounds 3] [--only hubble-compact] [--way fold]``.  For each parser a
file is generated (`benchmarks/text_records.py`) and read four ways: ``parse`` makes an event of every record, ``fold``
is what a worker does with a file that it has seen the like of, what waits in columns sorted in at the end, ``tally`` is
what ``flowdiag analyze`` does up to distinct flows, ``denied`` is the same with ``--only denied``, which skips lines that cannot be refused traffic.  The yardsticks
are ``grep -c``, and ``single``: the best single pass by hand that counts the same (`benchmarks/single_pass.py`).
``keeping`` is ``single`` where every line is refused
and its client's port and an example are kept.  ``fold`` and both of these know the records' kinds from the round before, and no times, since each file has its own.  Rounds take turns and the least
processor time counts; read the ratios, as the machine's noise is in all alike.
"""

import argparse
import gc
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from single_pass import KEEPING, PASSES
from text_records import FORMS, write

from flowdiag.ingest import Gathered, ReadOptions, run
from flowdiag.ingest.plugins import parser_named
from flowdiag.parserkit import Block, ParseContext
from flowdiag.tally import Tally

BLOCK = 1 << 20


def parse(path, form):
    """Every event, thrown away; how many."""
    parser, context, count = parser_named(form), ParseContext(input=str(path), year=2026), 0
    data = path.read_bytes()
    start = 0
    while start < len(data):
        end = data.find(b"\n", min(start + BLOCK, len(data) - 1)) + 1 or len(data)
        if form == "hubble-dict" and end < len(data):
            end = data.find(b"------------\n", end) + 13
        for _ in parser.parse(Block(data=data[start:end]), context):
            count += 1
        start = end
    return count


def blocks(path, form):
    """The file in whole records."""
    data = path.read_bytes()
    start = 0
    while start < len(data):
        end = data.find(b"\n", min(start + BLOCK // 4, len(data) - 1)) + 1 or len(data)
        if form == "hubble-dict" and end < len(data):
            end = data.find(b"------------\n", end) + 13
        yield data[start:end]
        start = end


def fold(path, form, known={}):  # noqa: B006 - what one round learns the next one knows, as a worker does
    """Everything folded into distinct flows."""
    parser, context = parser_named(form), ParseContext(input=str(path), year=2026)
    mine = known.setdefault(form, Tally())
    for data in blocks(path, form):
        mine.take(parser, Block(data=data), context)
    mine.table.sort_in()


def single(path, form, known={}):  # noqa: B006 - as for `fold`
    """Everything counted by hand; how many records."""
    mine = known.get(form)
    if mine is None:
        mine = known[form] = PASSES[form]()
    mine.forget_times()
    return sum(mine.take(data) for data in blocks(path, form))


def keeping(path, form, known={}):  # noqa: B006 - as for `fold`
    """As `single`, and ports and examples are kept as a report needs them; of forms that keep every line."""
    if form not in known:
        known[form] = KEEPING[form]()
    mine = known[form]
    mine.forget_times()
    return sum(mine.take(data) for data in blocks(path, form))


def tally(path, form, *, only_denied):
    """As `flowdiag analyze` reads; how many records, and of how many distinct flows."""
    with Gathered([str(path)]) as gathered:
        outcome = run(gathered, ReadOptions(format=form, year=2026, processes=1, only_denied=only_denied))
        outcome.tally.flows()
    return outcome.tally.records


def grep(path, form):
    """What `grep -c` says of it."""
    found = subprocess.run(["grep", "-c", FORMS[form][2], str(path)], check=True, capture_output=True)
    return int(found.stdout)


def spent():
    """Processor time of this process and of those that it waited for, seconds."""
    mine, theirs = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


WAYS = {
    "parse": parse,
    "fold": fold,
    "tally": lambda path, form: tally(path, form, only_denied=False),
    "denied": lambda path, form: tally(path, form, only_denied=True),
    "single": single,
    "keeping": keeping,
    "grep -c": grep,
}


def main():
    """Measure and print a table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--megabytes", type=float, default=20)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", choices=sorted(FORMS), action="append")
    options.add_argument(
        "--way", choices=WAYS, action="append", help="these only; fold, single and keeping are always there"
    )
    given = options.parse_args()
    wanted = {*given.way, "fold", "single", "keeping"} if given.way else set(WAYS)
    ways = {name: way for name, way in WAYS.items() if name in wanted}
    if not shutil.which("grep"):
        ways.pop("grep -c", None)
    # As while blocks are folded: nothing of it is cyclic.
    gc.disable()
    print(
        f"{'MB/s':18}" + "".join(f"{name:>12}" for name in ways) + f"{'fold/single':>12}{'fold/keeping':>13}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for form in given.only or FORMS:
            path = Path(folder, f"{form}.txt")
            write(path, form, int(given.megabytes * 1e6))
            size = path.stat().st_size / 1e6
            best = dict.fromkeys(ways, 0.0)
            for _ in range(given.rounds):
                for name, way in ways.items():
                    if name == "keeping" and form not in KEEPING:
                        continue
                    begun = spent()
                    way(path, form)
                    best[name] = max(best[name], size / (spent() - begun))
            ratio = f"{best['single'] / best['fold']:12.2f}"
            ratio += f"{best['keeping'] / best['fold']:13.2f}" if form in KEEPING else ""
            print(
                f"{form:18}"
                + "".join(f"{value:12.1f}" if value else " " * 12 for value in best.values())
                + ratio,
                flush=True,
            )
            path.unlink()


if __name__ == "__main__":
    main()
