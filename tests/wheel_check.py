"""Build the wheel, look inside, install it away from the checkout and run its main job."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Exit with a message at the first thing that is not right."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        run(
            sys.executable,
            "-m",
            "build",
            "--quiet",
            "--no-isolation",
            "--wheel",
            "--outdir",
            str(folder),
            str(ROOT),
        )
        (wheel,) = folder.glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
        top = {name.split("/")[0] for name in names}
        version = wheel.name.split("-")[1]
        expected = {"flowdiag", "flowdiag_parsers", f"flowdiag-{version}.dist-info"}
        if top != expected:
            raise SystemExit(f"the wheel's top level is {sorted(top)}, not {sorted(expected)}")
        for needed in ("flowdiag/py.typed", "flowdiag_parsers/py.typed"):
            if needed not in names:
                raise SystemExit(f"the wheel lacks {needed}")
        # Dependencies come from the environment that runs this check: it needs no second download.
        environment = folder / "env"
        venv.create(environment, with_pip=False, system_site_packages=False)
        site = next((environment / "lib").glob("python*/site-packages"))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
        own = next(Path(sys.prefix, "lib").glob("python*/site-packages"))
        (site / "dependencies.pth").write_text(f"{own}\n")
        code = "import sys; from flowdiag.cli.main import main; main(sys.argv[1:])"
        python = environment / "bin" / "python"
        output = run(
            str(python),
            "-I",
            "-c",
            code,
            "analyze",
            str(ROOT / "fixtures/incidents/default-deny-egress"),
            "-o",
            "json",
            cwd=folder,
        )
        if '"flowdiag.report/1"' not in output.replace(" ", ""):
            raise SystemExit("the installed wheel wrote no report")
        where = run(str(python), "-I", "-c", "import flowdiag; print(flowdiag.__file__)", cwd=folder)
        if str(site) not in where:
            raise SystemExit(f"the check ran {where.strip()}, not the wheel")
    print(f"{wheel.name}: top level, typing marks and main job are right")  # noqa: T201 - a command's answer


def run(*command: str, cwd: Path | None = None) -> str:
    """Run, and show what went wrong if it did."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
