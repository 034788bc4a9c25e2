"""Commands that a screen has no room for are still commands when they are copied."""

import shlex

import pytest

from flowdiag.report.commands import command_lines

NETSHOOT = (
    "kubectl -n frontend debug pod/web-app-d5f3fa262-dmb4f -it --image=nicolaka/netshoot -- nslookup "
    "kubernetes.default.svc.cluster.local 10.244.0.36"
)


@pytest.mark.parametrize(
    "command",
    [
        NETSHOOT,
        "kubectl get pods -A -o yaml > state.yaml",
        "kubectl -n shop exec deploy/web -- sh -c 'echo a b c; nc -zvw3 10.60.2.51 5432' \"and more of it\" at\\ the\\ end",
        "curl -s 'http://localhost:8081/whisker-backend/flows?startTimeGte=-3600' > flows.json",
    ],
)
@pytest.mark.parametrize("room", [30, 50, 72, 200])
def test_a_shell_puts_the_lines_together_again(command, room):
    """Words are the same ones, whatever a line's indent; quotes hold what they held."""
    lines = command_lines(command, room)

    whole = "\n        ".join(lines)

    assert all(line.endswith(" \\") for line in lines[:-1])
    assert shlex.split(whole.replace("\\\n", "")) == shlex.split(command)
    # A quote that a line leaves open would keep the backslash.
    assert [shlex.split(line.removesuffix(" \\")) for line in lines]


def test_lines_keep_to_their_room():
    """But for a word that is longer itself."""
    assert [len(line) <= 60 for line in command_lines(NETSHOOT, 60)] == [True] * 3
    assert command_lines(f"cat {'x' * 90} y", 60) == ["cat \\", f"{'x' * 90} \\", "y"]
