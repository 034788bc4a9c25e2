"""YAML of cases and of what proposals print, by libyaml where PyYAML was built with it: a tenth of the time."""

from typing import Any

import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str) -> Any:
    """The one document of a text, as `yaml.safe_load` reads it."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - either is a safe one
