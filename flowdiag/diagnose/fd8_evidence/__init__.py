"""FD8xx: what the evidence cannot show."""
