"""Who changed what: the Kubernetes audit log, GCP's form of it, and Kubernetes Events."""
