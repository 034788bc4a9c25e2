"""Flow records of Network Observability (NetObserv)."""
