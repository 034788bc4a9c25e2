"""How often the diagnosis is right: precision and recall of every code.

    python benchmarks/diagnose.py [--rounds 6] [--seed 7]

Judged over two things: clusters that work and were broken in one place (tests/diagnose/mutated_clusters.py,
with names, ports and typing mistakes drawn from a seed that the tests do not use), and the catalogue's own
cases (tests/diagnoses/*.yml).  A judgement is right where the leading finding has the code that the change,
or the case, was made for.  A code that qualifies other findings counts where it did; a silent case counts
against its code where the code was found.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "diagnose"))

from diagnosis_cases import build_case
from mutated_clusters import incidents
from test_catalogue import CASES, RULES, fired

from flowdiag.diagnose import diagnose

ROUNDS, SEED = 6, 7


def judgements(rounds, seed):
    """(the code it should be or None, the code it was or None, origin), one for each incident and case."""
    for incident in incidents(rounds, seed):
        found = diagnose(build_case(incident.spec()))
        yield incident.code, found[0].code if found else None, "incident"
    for code, name, spec in CASES:
        case = build_case(spec)
        leads = spec.get("expect", {}).get("leads")
        made = code if fired(code, case) else None
        if name.startswith("fires_"):
            yield code, made, "case"
        elif made is not None or leads is None:
            yield None, made, "case"
        if leads not in (None, code):
            found = diagnose(case)
            yield leads, found[0].code if found else None, "case"


def table(rounds=ROUNDS, seed=SEED):
    """The rows: code, slug, incidents and cases that should have it, precision, recall."""
    wanted, right, said, of = Counter(), Counter(), Counter(), Counter()
    for truth, answer, origin in judgements(rounds, seed):
        if truth is not None:
            wanted[truth] += 1
            of[truth, origin] += 1
        if answer is not None:
            said[answer] += 1
        if truth is not None and truth == answer:
            right[truth] += 1
    rows = []
    for code, rule in sorted(RULES.items()):
        precision = f"{right[code] / said[code]:.2f}" if said[code] else "-"
        recall = f"{right[code] / wanted[code]:.2f}" if wanted[code] else "-"
        rows.append((code, rule.slug, of[code, "incident"], of[code, "case"], precision, recall))
    total = sum(right.values())
    rows.append(
        (
            "all",
            "",
            sum(count for (_, origin), count in of.items() if origin == "incident"),
            sum(count for (_, origin), count in of.items() if origin == "case"),
            f"{total / sum(said.values()):.2f}",
            f"{total / sum(wanted.values()):.2f}",
        )
    )
    return rows


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    print(f"{'code':<6} {'slug':<32} {'incidents':>9} {'cases':>6} {'precision':>9} {'recall':>7}")
    for code, slug, made, cases, precision, recall in table(given.rounds, given.seed):
        print(f"{code:<6} {slug:<32} {made:>9} {cases:>6} {precision:>9} {recall:>7}")


if __name__ == "__main__":
    main()
