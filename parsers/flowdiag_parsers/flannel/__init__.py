"""flannel, which routes pods and enforces nothing."""
