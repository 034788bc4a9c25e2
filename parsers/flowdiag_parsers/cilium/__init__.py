"""Formats of the Cilium agent itself: ``cilium monitor`` and the components' logs."""
