"""The kernel's packet log: what an iptables or nftables rule that logs leaves behind."""
