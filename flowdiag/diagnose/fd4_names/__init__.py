"""FD4xx: names: DNS refused, and rules that depend on DNS."""
