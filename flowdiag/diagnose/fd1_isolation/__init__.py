"""FD1xx: the endpoint is isolated, and nothing opens it."""
