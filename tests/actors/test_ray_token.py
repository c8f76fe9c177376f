"""To whom the token is shown, and who may read it."""

import os
from pathlib import Path

import pytest

from actors import ray_token

HERE = "127.0.0.1:6379"
ELSEWHERE = "203.0.113.7:6379"  # of the block that is kept for documentation


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with a token and no opinion."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv(ray_token.MODE, "any")  # so that it is what it was after the test
    monkeypatch.delenv(ray_token.MODE)
    path = tmp_path / ".ray" / "auth_token"
    path.parent.mkdir()
    path.write_text("secret")
    return path


@pytest.mark.parametrize(
    ("address", "shown"), [(HERE, True), (ELSEWHERE, False), ("auto", False), ("local", False), ("", False)]
)
@pytest.mark.usefixtures("token")
def test_it_is_shown_on_this_machine_only(address: str, shown: bool) -> None:
    ray_token.show(address)
    assert os.environ.get(ray_token.MODE) == ("token" if shown else None)


@pytest.mark.parametrize(("address", "shown"), [(HERE, True), (ELSEWHERE, False)])
@pytest.mark.usefixtures("token")
def test_auto_is_where_ray_address_points(address: str, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    ray_token.show("auto")
    assert (ray_token.MODE in os.environ) == shown


@pytest.mark.usefixtures("token")
def test_what_the_user_chose_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ray_token.MODE, "disabled")
    ray_token.show(HERE)
    assert os.environ[ray_token.MODE] == "disabled"


def test_without_a_token_there_is_nothing_to_show(token: Path) -> None:
    token.unlink()
    ray_token.show(HERE)
    assert ray_token.MODE not in os.environ


def test_only_its_user_reads_it(token: Path) -> None:
    token.chmod(0o644)
    ray_token.protect()
    assert token.stat().st_mode & 0o777 == 0o600


def test_protecting_what_is_not_there_is_no_error(token: Path) -> None:
    token.unlink()
    ray_token.protect()
