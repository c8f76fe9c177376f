"""The machine file: what it says of a device class, and every mistake one message with file and key."""

from pathlib import Path

import pytest

from sweeps.errors import UserError
from sweeps.plan.machines import Machines, read_machines

KEPLER, MODERN = "/venvs/kepler/bin/python", "/venvs/modern/bin/python"


def machines(directory: Path, text: str) -> Machines:
    path = directory / "boxes.toml"
    path.write_text(text)
    return read_machines(path)


def test_a_device_class_has_the_interpreter_of_the_name_that_means_it(tmp_path: Path) -> None:
    read = machines(
        tmp_path,
        f'[device.k80]\npython = "{KEPLER}"\n[device.cpu]\npython = "{MODERN}"\n[device."gtx-1070"]\npython = "/a"',
    )
    assert read.python("tesla-k80") == KEPLER
    assert read.python("cpu") == MODERN
    assert read.python("gtx-1070") == "/a"
    assert read.python("gtx-1070-ti") == "/a", "as a spec's device names do"
    assert read.python("tesla-k8") is None


def test_the_longest_name_that_means_a_class_decides(tmp_path: Path) -> None:
    text = f'[device.k80]\npython = "{MODERN}"\n[device."tesla-k80"]\npython = "{KEPLER}"\n'
    assert machines(tmp_path, text).python("tesla-k80") == KEPLER


def test_names_that_mean_nothing_there_are_known(tmp_path: Path) -> None:
    read = machines(tmp_path, f'[device.k8]\npython = "{KEPLER}"\n[device.cpu]\npython = "{MODERN}"\n')
    assert read.unused(["cpu", "tesla-k80"]) == ["k8"]


def test_machines_toml_is_taken_where_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_machines(None) == Machines()
    (tmp_path / "machines.toml").write_text(f'[device.cpu]\npython = "{MODERN}"')
    assert read_machines(None) == Machines("machines.toml", {"cpu": MODERN})


MISTAKES = {
    "unknown table": ("[devices.cpu]", "key 'devices': unknown (did you mean 'device'?); allowed are device"),
    "unknown key": (
        f'[device.cpu]\npyton = "{MODERN}"\npython = "{MODERN}"',
        "key 'device.cpu.pyton': unknown (did you mean 'python'?); allowed are python",
    ),
    "no python": ("[device.cpu]", "key 'device.cpu.python' is missing"),
    "not a path": ('[device.cpu]\npython = "python3.11"', "key 'device.cpu.python': seen 'python3.11'; write the"),
    "of somebody's home": ('[device.cpu]\npython = "~/bin/python"', "seen '~/bin/python'; write the interpreter's"),
    "not a string": ("[device.cpu]\npython = 3", "key 'device.cpu.python': seen 3; input should be a valid string"),
    "not a table": ('device = "cpu"', "key 'device': seen 'cpu'"),
    "not a slug": (f'[device."Tesla K80"]\npython = "{KEPLER}"', "seen 'Tesla K80'; name one device class"),
    "several cards": (f'[device."k80 x2"]\npython = "{KEPLER}"', "seen 'k80 x2'; name one device class"),
    "a dash at the end": (f'[device."tesla-"]\npython = "{KEPLER}"', "seen 'tesla-'; name one device class"),
    "any card": (f'[device.gpu]\npython = "{KEPLER}"', "seen 'gpu'; name one device class"),
    "two at once": ("[devices.cpu]\n[device.cpu]", "key 'devices': unknown"),
    "not TOML": ("[device.cpu", "not TOML"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_message_with_file_and_key(mistake: str, tmp_path: Path) -> None:
    text, expected = MISTAKES[mistake]
    with pytest.raises(UserError) as raised:
        machines(tmp_path, text)
    assert "boxes.toml" in str(raised.value)
    assert expected in str(raised.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--machines .*nowhere\.toml: cannot be read: No such file"):
        read_machines(tmp_path / "nowhere.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="not TOML"):
        read_machines(tmp_path / "binary.toml")
