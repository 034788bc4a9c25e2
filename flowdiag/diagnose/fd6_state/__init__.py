"""FD6xx: state and time: start-up, conntrack, identities, agents."""
