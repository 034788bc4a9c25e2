"""Records of Cisco ACI's CNI (aci-containers)."""
