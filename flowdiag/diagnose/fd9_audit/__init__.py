"""FD9xx: what an audit finds besides refusals, in the policies and in its own settings."""
