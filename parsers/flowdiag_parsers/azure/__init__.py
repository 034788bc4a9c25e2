"""Flow logs of Azure's virtual networks."""
