"""FD2xx: a rule comes near, but means another peer."""
