"""flowdiag: who was refused in a Kubernetes cluster, when, by which policies, and what mends it."""

__all__ = ["__version__"]

__version__ = "0.1.0"
