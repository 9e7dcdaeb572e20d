"""Addresses and error texts that may be shown and kept: without passwords and tokens."""

import re

# greedy: SQLAlchemy takes `@`, `/`, `?` and `#` within a password; the path of a file, `:///`, has no user
_USER = re.compile(r"://(?!/)\S*@")
_WEB_USER = re.compile(r"^(\s*https?://)[^/?#]*@", re.IGNORECASE)
_PASSWORD = re.compile(r"^([^:/]+://[^:/]*):.*@", re.DOTALL)
"""Of a database: from the first colon behind the user, where SQLAlchemy sees it, to the last `@`."""
_ARGUMENT = re.compile(r"([?&])((?:password|sslpassword|token)=)[^&\s'\"]*", re.IGNORECASE)


def without_password(text: str) -> str:
    """Put stars in the place of every user and password within addresses.

    Args:
        text: An address, or a text that holds some, such as an error of a library.

    Returns:
        The text with `://***@` for `://user:password@` (a lone user may be a token) and `password=***` for an
        argument of that name.
    """
    return _ARGUMENT.sub(r"\1\2***", _USER.sub("://***@", text))


def without_arguments(uri: str) -> str:
    """Leave the secret arguments of an address out: `?password=...`."""
    kept = _ARGUMENT.sub(r"\1", uri)
    head, mark, query = kept.partition("?")
    query = "&".join(part for part in query.split("&") if part)
    return f"{head}{mark}{query}" if query else head


def without_secret(uri: str) -> str:
    """Leave the password out, and a lone user of a web address, which may be a token; a database's user stays."""
    uri = without_arguments(uri)
    if re.match(r"\s*https?:", uri, re.IGNORECASE):
        return _WEB_USER.sub(r"\1", uri)
    return _PASSWORD.sub(lambda found: found[1] if found[1].endswith("/") else f"{found[1]}@", uri)
