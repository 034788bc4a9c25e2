"""Calico's own logs and flow records: Felix and its neighbours, the eBPF dataplane, flow logs."""
