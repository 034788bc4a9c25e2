"""Packets that rules of kube-router and k3s hand to ulogd through NFLOG."""
