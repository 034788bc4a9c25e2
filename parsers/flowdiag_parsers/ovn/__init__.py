"""ACL log of OVN: OVN-Kubernetes (OpenShift), Kube-OVN and plain OVN."""
