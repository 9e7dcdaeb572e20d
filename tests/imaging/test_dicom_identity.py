"""Hashed ids: the same for one salt, another for another one; the salt is made once and private."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from lit_medseg.errors import ConfigError
from lit_medseg.imaging.dicom_identity import hashed_id, local_salt


def test_codes_are_those_of_rfc_4231():
    """Test case 2: key `Jefe`."""
    assert hashed_id("what do ya want for nothing?", b"Jefe") == "5bdcc146bf60"
    assert hashed_id(" A17 ", b"x" * 32) == hashed_id("A17", b"x" * 32) != hashed_id("A17", b"y" * 32)
    assert hashed_id("  ", b"x") == ""


def test_the_salt_is_made_once_and_private(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with ThreadPoolExecutor(8) as pool:
        salts = set(pool.map(lambda _: local_salt(), range(32)))
    assert {len(salt) for salt in salts} == {32}
    assert len(salts) == 1
    file = tmp_path / "lit_medseg" / "salt"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["salt"]
    assert local_salt(file) == salts.pop()
    assert local_salt(tmp_path / "other" / "shared") != local_salt()


@pytest.mark.parametrize("content", ["", "abc", "00" * 31])
def test_something_else_is_no_salt(tmp_path, content):
    (tmp_path / "salt").write_text(content)
    with pytest.raises(ConfigError, match=r"^salt: the file holds no salt, expected 64 hexadecimal digits"):
        local_salt(tmp_path / "salt")
    with pytest.raises(ConfigError, match="cannot be used"):
        local_salt(tmp_path)
