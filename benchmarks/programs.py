"""Programs of ours in other languages that are measured beside flowdiag: compiled where their compilers are."""

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
GO_LIBRARIES = "/usr/share/gocode"
"""Where Debian puts Go's packages."""
CILIUM = "github.com/cilium/cilium/api/v1"
PROTOS = ("flow/flow.proto", "observer/observer.proto", "relay/relay.proto")


def aggregate(folder):
    """The path of the C++ program that counts, and what it lacks."""
    if shutil.which("g++") is None:
        return None, "g++ is not installed"
    target = folder / "aggregate"
    command = ["g++", "-O3", "-march=native", "-o", target, HERE / "aggregate.cpp", "-lsimdjson"]
    done = subprocess.run(command, capture_output=True, check=False)
    return (str(target), None) if done.returncode == 0 else (None, "libsimdjson-dev is not installed")


def hubble_path(folder):
    """The path of the Go program that does with a line as the hubble CLI does, and what it lacks."""
    protos = os.environ.get("CILIUM_PROTOS")
    if not protos:
        return None, "CILIUM_PROTOS is not set"
    for need in ("protoc", "protoc-gen-go", "go"):
        if shutil.which(need) is None:
            return None, f"{need} is not installed"
    target, workspace = folder / "hubble_path", folder / "go"
    (workspace / "src").mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"GO111MODULE": "off", "GOPATH": f"{workspace}:{GO_LIBRARIES}"}
    # Each file's place is said here, as not every release of Cilium says it in all of them.
    places = [f"--go_opt=M{name}={CILIUM}/{Path(name).parent}" for name in PROTOS]
    commands = (
        ["protoc", "-I", protos, f"--go_out={workspace / 'src'}", *places, *PROTOS],
        ["go", "build", "-o", target, HERE / "hubble_path" / "main.go"],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
            return None, f"{command[0]}: {said[0]}"
    return str(target), None
