"""Programs that are measured beside flowdiag: what cannot be built is left out with its reason."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def programs():
    spec = importlib.util.spec_from_file_location("programs", ROOT / "benchmarks" / "programs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_cilium_s_definitions_there_is_no_stand_in(programs, monkeypatch, tmp_path):
    monkeypatch.delenv("CILIUM_PROTOS", raising=False)
    assert programs.hubble_path(tmp_path) == (None, "CILIUM_PROTOS is not set")


def test_a_compiler_that_is_not_installed_is_named(programs, monkeypatch, tmp_path):
    monkeypatch.setenv("CILIUM_PROTOS", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    assert programs.hubble_path(tmp_path) == (None, "protoc is not installed")
    assert programs.aggregate(tmp_path) == (None, "g++ is not installed")


def test_a_compiler_that_fails_is_quoted(programs, monkeypatch, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("protoc", "protoc-gen-go", "go"):
        (tools / name).write_text("#!/bin/sh\necho no such file >&2\nexit 1\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("CILIUM_PROTOS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tools))
    assert programs.hubble_path(tmp_path) == (None, "protoc: no such file")
