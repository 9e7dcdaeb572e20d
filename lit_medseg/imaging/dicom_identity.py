"""Patient ids that do not tell who the patient is."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from lit_medseg.errors import ConfigError, expected_got

SALT_BYTES = 32


def hashed_id(text: str, salt: bytes) -> str:
    """Replace an identifier by a code that cannot be turned back without the salt.

    Source: RFC 2104 (Krawczyk, Bellare, Canetti, 1997), HMAC, with SHA-256.

    Args:
        text: PatientID, StudyInstanceUID, ...; white space around it does not count.
        salt: As from `local_salt`; the same salt gives the same codes.

    Returns:
        12 hexadecimal digits; an empty text gives an empty one (an unknown patient stays unknown).
    """
    plain = text.strip()
    return hmac.new(salt, plain.encode(), hashlib.sha256).hexdigest()[:12] if plain else ""


def salt_file() -> Path:
    """The place of this user's salt: `salt` in `lit_medseg` under `$XDG_CONFIG_HOME`, else under `~/.config`."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(home) if home else Path.home() / ".config") / "lit_medseg" / "salt"


def local_salt(path: Path | None = None) -> bytes:
    """Read the salt of this user, which is drawn at random at the first call and readable by this user alone.

    Machines that have to agree on patients' codes (a cross-validation, a cohort in two rooms) share one file: copy it,
    or name one on a common disk. Without the file the codes tell nothing; with it, guessed ids can be tested.

    Args:
        path: The file to share; None for the user's own.

    Returns:
        32 bytes.

    Raises:
        ConfigError: The file cannot be made or read, or holds something else.
    """
    file = salt_file() if path is None else path
    try:
        if not file.exists():
            _draw(file)
        salt = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except OSError as error:
        todo = "Name a file that can be read and written"
        what = "the salt of patient codes cannot be used"
        raise ConfigError(expected_got(file.name, what, "a file", error.strerror, todo)) from error
    except ValueError:
        salt = b""
    if len(salt) != SALT_BYTES:
        todo = "Restore the file; delete it only if no codes made with it are in use"
        got = "something else"
        what = "the file holds no salt"
        raise ConfigError(expected_got(file.name, what, f"{2 * SALT_BYTES} hexadecimal digits", got, todo))
    return salt


def _draw(file: Path) -> None:
    """Make the file whole, once: of several processes that draw at a time, the first one's stays."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    half = file.with_name(f".{secrets.token_hex(8)}.half")
    handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as opened:
            opened.write(secrets.token_hex(SALT_BYTES) + "\n")
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(half, file)
        except FileExistsError:
            pass
        except OSError:  # a disk without links
            half.replace(file)
    finally:
        half.unlink(missing_ok=True)
