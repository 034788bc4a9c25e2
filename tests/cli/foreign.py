"""Plugins of another distribution, as if pip had put them into a folder: its modules and what it registers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOWDIAG = (sys.executable, "-c", "import sys; from flowdiag.cli.start import main; sys.exit(main())")


def install(
    folder: Path, entry_points: str, modules: Mapping[str, str], distribution: str = "flowdiag-acme"
) -> Path:
    """Write a distribution of version 0.2.0 into `folder`; returns it, for the path."""
    about = folder / f"{distribution.replace('-', '_')}-0.2.0.dist-info"
    about.mkdir(parents=True)
    about.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.2.0\n")
    about.joinpath("entry_points.txt").write_text(entry_points)
    for name, text in modules.items():
        folder.joinpath(f"{name}.py").write_text(text)
    return folder


def run(sites: Path | tuple[Path, ...], *words: str, given: bytes = b"", **more: str):
    """The command line in an environment with these folders on its path."""
    folders = (sites,) if isinstance(sites, Path) else sites
    path = os.pathsep.join([*map(str, folders), str(ROOT), str(ROOT / "parsers")])
    env = {key: value for key, value in os.environ.items() if key != "FLOWDIAG_PLUGINS"}
    env |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "SOURCE_DATE_EPOCH": "0", "COLUMNS": "200"}
    return subprocess.run(
        [*FLOWDIAG, *words], env=env | more, input=given, capture_output=True, check=False, timeout=300
    )
