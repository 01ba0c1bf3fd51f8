"""Which backend a machine gets, and what it is told when it gets none."""

from __future__ import annotations

from pathlib import Path

import pytest

from cambrian.errors import NotFound, Refused, SandboxBroken, Unreachable, UsageError
from cambrian.sandbox.backends.bubblewrap import BubblewrapBackend
from cambrian.sandbox.backends.registry import choose
from cambrian.sandbox.image import image
from cambrian.sandbox.session.limits import Limits

NO_ENGINE = "unix:///nonexistent/docker.sock"


@pytest.mark.docker
def test_auto_takes_docker_where_an_engine_answers() -> None:
    image.ensure()
    told: list[str] = []
    backend = choose("auto", told.append)
    assert backend.name == "docker"
    assert any("docker" in line for line in told)


def test_auto_takes_bubblewrap_without_an_engine_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    told: list[str] = []
    assert choose("auto", told.append).name == "bubblewrap"
    assert "Docker engine" in told[0]


def test_auto_never_falls_back_to_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    broken = tmp_path / "bwrap"
    broken.write_text('#!/bin/sh\necho bubblewrap 0.8.0; [ "$1" = --version ]\n')
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(Refused, match="install bubblewrap") as refused:
        choose("auto", lambda _: None)
    assert "--sandbox none" in str(refused.value)
    assert "image build" in str(refused.value)


def test_none_is_typed_and_comes_with_a_warning() -> None:
    told: list[str] = []
    assert choose("none", told.append).isolation == "none"
    assert "no limits" in told[0]


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="bubblewrap"):
        choose("podman", lambda _: None)


def test_the_backend_that_was_named_is_the_one_or_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert choose("bubblewrap", lambda _: None).name == "bubblewrap"
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    with pytest.raises(Unreachable):
        choose("docker", lambda _: None)


def test_an_old_bubblewrap_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "bwrap"
    old.write_text("#!/bin/sh\necho bubblewrap 0.4.1\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(NotFound, match=r"0\.8"):
        BubblewrapBackend()


def test_bubblewrap_says_what_went_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && echo 0.9.0 || { echo oh no; exit 1; }\n')
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(SandboxBroken, match="oh no"):
        BubblewrapBackend().try_out()


def test_bubblewrap_gives_no_gpu_away(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="GPU"):
        BubblewrapBackend().launch(tmp_path, Limits(gpu="0"))


def test_isolation_is_reduced_where_memory_cannot_be_bounded() -> None:
    assert BubblewrapBackend(as_root=False).isolation == "reduced"
    assert BubblewrapBackend(as_root=False).provenance()["isolation"] == "reduced"
