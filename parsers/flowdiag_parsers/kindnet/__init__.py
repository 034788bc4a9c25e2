"""kube-network-policies, alone or inside kindnet, Talos and flannel's chart."""
