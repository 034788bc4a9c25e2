"""From policy objects to the rule model: one module per policy language."""
