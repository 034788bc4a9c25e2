"""FD5xx: something decided explicitly."""
