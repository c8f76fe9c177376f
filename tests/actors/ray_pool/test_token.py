"""Ray's token: both sides use the same one or a message says how they differ; it is shown and readable to few."""

from pathlib import Path

import pytest

from actors.ray_pool import token as ray_token
from actors.ray_pool.address import GcsAddress
from actors.ray_pool.gcs_probe import Answer
from actors.ray_pool.token import MODE, PATH, TOKEN, HeldToken
from sweeps.errors import UserError

HERE = GcsAddress("127.0.0.1", 6379, "--address 127.0.0.1:6379", "")
ELSEWHERE = GcsAddress("203.0.113.7", 6379, "--address 203.0.113.7:6379", "")  # an address reserved for documentation
FOUND = GcsAddress("203.0.113.7", 6379, "--address auto", "", is_own=True)
OWN = HeldToken("secret", "~/.ray/auth_token")


class Ray:
    """A fake Ray that asks for a token or for none, and records the tokens that it is shown."""

    def __init__(self, token: str | None) -> None:
        self.token = token
        self.seen: list[str] = []

    def ask(self, token: str | None) -> Answer:
        if token is not None:
            self.seen.append(token)
        return Answer.WELCOME if self.token in (None, token) else Answer.REFUSED


@pytest.mark.parametrize("own", [OWN, None])
@pytest.mark.parametrize("chosen", ["disabled", None])
@pytest.mark.parametrize("gcs", [HERE, ELSEWHERE, FOUND])
def test_a_ray_without_a_token_is_met_without_one(gcs: GcsAddress, chosen: str | None, own: HeldToken | None) -> None:
    ray = Ray(None)
    assert ray_token.choose_mode(gcs, chosen, lambda: own, ray.ask) == "disabled"
    assert not ray.seen


@pytest.mark.parametrize(
    ("gcs", "chosen"), [(HERE, None), (HERE, "token"), (ELSEWHERE, "token"), (FOUND, None), (FOUND, "token")]
)
def test_a_ray_with_the_same_token_is_met_with_it(gcs: GcsAddress, chosen: str | None) -> None:
    assert ray_token.choose_mode(gcs, chosen, lambda: OWN, Ray("secret").ask) == "token"


DIFFERING = {
    "only this side": (HERE, "token", OWN, None, "uses no token and this side does (RAY_AUTH_MODE=token); unset"),
    "switched off here": (
        HERE,
        "disabled",
        OWN,
        "secret",
        "asks for a token and this side shows none (RAY_AUTH_MODE=d",
    ),
    "only the other side": (HERE, None, None, "secret", "asks for a token and this side has none in RAY_AUTH_TOKEN"),
    "nothing to show": (ELSEWHERE, "token", None, "secret", "scp HEAD:.ray/auth_token ~/.ray/"),
    "another one": (HERE, None, OWN, "other", "and another one than this side has in ~/.ray/auth_token; copy"),
    "another one elsewhere": (ELSEWHERE, "token", OWN, "other", "and another one than this side has"),
}


@pytest.mark.parametrize("difference", DIFFERING)
def test_sides_that_differ_are_one_message_that_says_which_has_what(difference: str) -> None:
    gcs, chosen, own, token, expected = DIFFERING[difference]
    with pytest.raises(UserError) as told:
        ray_token.choose_mode(gcs, chosen, lambda: own, Ray(token).ask)
    assert str(told.value).startswith(f"{gcs.source}: the Ray at {gcs} ")
    assert expected in str(told.value)


def test_a_stranger_is_not_shown_the_token_unasked() -> None:
    stranger = Ray("theirs")
    with pytest.raises(UserError, match=r"shown to other machines only if you say so: export RAY_AUTH_MODE=token"):
        ray_token.choose_mode(ELSEWHERE, None, lambda: OWN, stranger.ask)
    assert not stranger.seen


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".ray").mkdir()
    return tmp_path


def test_the_token_is_looked_for_where_ray_looks(home: Path) -> None:
    environment = {"HOME": str(home)}
    assert ray_token.held_token(environment) is None
    (home / ".ray" / "auth_token").write_text("of the file\n")
    assert ray_token.held_token(environment) == HeldToken("of the file", "~/.ray/auth_token")
    (home / "mine").write_text("of another file")
    environment[PATH] = str(home / "mine")
    assert ray_token.held_token(environment) == HeldToken("of another file", str(home / "mine"))
    environment[TOKEN] = "itself"
    assert ray_token.held_token(environment) == HeldToken("itself", TOKEN)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_a_named_file_without_a_token_is_told(content: bytes | None, home: Path) -> None:
    if content is not None:
        (home / "mine").write_bytes(content)
    with pytest.raises(UserError, match=f"{PATH}={home / 'mine'}: (no token in that file|the token cannot be read)"):
        ray_token.held_token({"HOME": str(home), PATH: str(home / "mine")})


def test_a_ray_that_is_started_here_has_a_token_made_for_its_user_only(home: Path) -> None:
    environment = {"HOME": str(home)}
    assert ray_token.mode_to_start(environment) == "token"
    path = home / ".ray" / "auth_token"
    first = path.read_text()
    assert len(first) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert ray_token.mode_to_start(environment) == "token"
    assert path.read_text() == first


def test_a_home_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Ray keeps its token there, which cannot be written"):
        ray_token.mode_to_start({"HOME": str(tmp_path / "file")})


def test_what_the_user_chose_stays(home: Path) -> None:
    assert ray_token.mode_to_start({"HOME": str(home), MODE: "Disabled"}) == "disabled"
    assert not (home / ".ray" / "auth_token").exists()
    with pytest.raises(UserError, match="RAY_AUTH_MODE=on: choose token or disabled"):
        ray_token.mode_to_start({"HOME": str(home), MODE: "on"})


def test_only_its_user_reads_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    ray_token.protect()  # a missing file is no error
    path = home / ".ray" / "auth_token"
    path.write_text("secret")
    path.chmod(0o644)
    ray_token.protect()
    assert path.stat().st_mode & 0o777 == 0o600
