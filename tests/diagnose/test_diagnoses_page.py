"""The page of the catalogue is what the rules and the benchmark say."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def _generator():
    spec = importlib.util.spec_from_file_location("diagnoses_page", ROOT / "docs" / "diagnoses.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date():
    """Generated again it is the same, letter by letter; `python docs/diagnoses.py` writes it."""
    generator = _generator()

    assert generator.page() == generator.PAGE.read_text(encoding="utf-8")
