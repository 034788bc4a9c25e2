"""Policy action log of GKE Dataplane V2."""
