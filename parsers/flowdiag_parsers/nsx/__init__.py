"""Packet logs of NSX's firewalls, by which its container plug-in (NCP) enforces NetworkPolicies."""
