"""FD7xx: refused, but by no policy."""
