"""What stands around a log on the same terminal: the shell's prompt, and what kubectl, gcloud, journalctl and tail say."""

from __future__ import annotations

import re

__all__ = ["said_around"]

# 'Defaulted container "cilium-agent" out of: cilium-agent, config (init)'       kubectl exec and logs
# "Handling connection for 4245", "Forwarding from 127.0.0.1:4245 -> 4245"       kubectl port-forward
# "Found 3 pods, using pod/cilium-x2v4z"                                         kubectl logs and exec of a daemon set
# "Unable to use a TTY - input is not a terminal or the right kind of file"      kubectl exec -t
# "Your active configuration is: [shop]"                                         gcloud
# "==> /var/log/pods/a/0.log <=="                                                tail and head of several files
# "-- Logs begin at Mon 2026-01-05 ...", "-- Journal begins at ...", "-- Boot 1b2c --", "-- Reboot --"     journalctl
# "root@server:~# hubble observe -f", "$ kubectl logs ...", "[root@n1 /]# grep DENY ..."     the command that was typed
_SAID = re.compile(
    r"Defaulted container |Handling connection for \d|Forwarding from |Found \d{1,6} pods, using |Unable to use a TTY "
    r"|Your active configuration is: \["
    r"|==> .{1,300} <==\s*\Z|-- (?:Logs begin|Journal begins|Boot [0-9a-f]|Reboot --|No entries --)|\^C\s*\Z"
    r"|(?:\[?[\w.+-]{1,64}@[\w.-]{1,100}[^#$%\n]{0,100})?[#$%] (?:sudo )?"
    r"(?:kubectl|oc|k|hubble|cilium(?:-dbg)?|calicoctl|journalctl|dmesg|docker|crictl|nerdctl|talosctl|stern|aws|gcloud|az"
    r"|tail|head|cat|zcat|less|grep|jq|watch|timeout) "
)


def said_around(text: str) -> bool:
    """Whether a line is such a word: no record of anybody, and nothing is lost where it stands."""
    return _SAID.match(text) is not None
