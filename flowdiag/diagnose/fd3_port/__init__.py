"""FD3xx: a rule comes near, but means another port or protocol."""
