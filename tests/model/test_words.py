"""Words that sentences of several rooms share."""

import pytest

from flowdiag.model.words import done, was


@pytest.mark.parametrize(
    ("kind", "behind", "sentence"),
    [
        ("created", "created", "was created"),
        ("labels", "labels written", "was labelled"),
        ("rollout", "rolled out", "was rolled out"),
        ("pod-start", "started", "started"),
    ],
)
def test_kinds_of_changes_read_as_verbs(kind, behind, sentence):
    """``Pod shop/web-1 started 12:01:02``, and not ``pod-start``."""
    assert (done(kind), was(kind)) == (behind, sentence)
