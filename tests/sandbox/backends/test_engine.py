"""The Docker engine is found in one way: variable, context, usual socket, rootless socket."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path

import pytest

from cambrian.errors import Unreachable
from cambrian.sandbox.backends import engine
from cambrian.sandbox.backends.docker import DockerBackend
from cambrian.sandbox.image import image


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))


def _context(tmp_path: Path, name: str, host: str | None, *, current: bool) -> None:
    """As `docker context create` and `docker context use` write it."""
    folder = tmp_path / "docker"
    meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    endpoint = {"docker": {"Host": host, "SkipTLSVerify": False}}
    text = json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoint})
    (meta / "meta.json").write_text(text if host else "{not json")
    (folder / "config.json").write_text(json.dumps({"currentContext": name} if current else {}))


def test_the_current_context_is_used_by_all(tmp_path: Path) -> None:
    where = f"unix://{tmp_path}/docker.sock"
    _context(tmp_path, "mine", where, current=True)
    found = engine.address()
    assert found.url == where
    for ask in (engine.connect, image.show, DockerBackend):
        with pytest.raises(Unreachable) as caught:
            ask()
        assert where in str(caught.value) and "'mine'" in str(caught.value)


def test_variables_come_before_the_current_context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _context(tmp_path, "mine", "unix:///by/context.sock", current=True)
    _context(tmp_path, "other", "unix:///by/other.sock", current=False)
    (tmp_path / "docker" / "config.json").write_text('{"currentContext": "mine"}')
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    assert engine.address().url == "unix:///by/other.sock"
    monkeypatch.setenv("DOCKER_HOST", "unix:///by/host.sock")
    assert engine.address().url == "unix:///by/host.sock"


def test_a_context_that_is_gone_or_broken_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _context(tmp_path, "broken", None, current=True)
    with pytest.raises(Unreachable, match=r"the current context of Docker, 'broken'"):
        engine.address()
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    with pytest.raises(Unreachable, match=r"DOCKER_CONTEXT of Docker, 'gone' to exist"):
        engine.address()


@pytest.mark.parametrize("host", ["ssh://me@far", "tcp://10.0.0.7:2376", "npipe:////./pipe/x"])
def test_an_engine_elsewhere_is_refused_for_it_cannot_mount_our_folders(
    host: str, tmp_path: Path
) -> None:
    _context(tmp_path, "far", host, current=True)
    with pytest.raises(Unreachable, match=r"'far'.*DOCKER_HOST"):
        engine.address()


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:abc", "tcp://127.0.0.1:99999", "http://[::1"])
def test_an_address_that_is_none_is_named(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(Unreachable, match=r"DOCKER_HOST"):
        engine.address()


def test_certificates_that_are_not_there_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "none"))
    with pytest.raises(Unreachable, match="DOCKER_CERT_PATH"):
        engine.address()


@pytest.mark.docker
def test_a_configuration_of_another_shape_is_named(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text("[]")
    for ask in (engine.connect, image.show):
        with pytest.raises(Unreachable, match=r"config\.json"):
            ask()


def test_an_engine_of_this_host_may_listen_on_its_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:2375")
    assert engine.address().settings["base_url"].endswith("127.0.0.1:2375")


def test_a_rootless_engine_is_found_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "USUAL", f"unix://{tmp_path}/nothing.sock")
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as own:
        own.bind(str(tmp_path / "run" / "docker.sock"))
        assert engine.address().url == f"unix://{tmp_path}/run/docker.sock"
