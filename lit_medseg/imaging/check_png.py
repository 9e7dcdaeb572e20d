"""Damage in a PNG that decoders read over: missing ends and wrong checksums."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_damage(content: bytes) -> str | None:
    """Walk the chunks of a PNG and check each one's length and CRC.

    Pillow and OpenCV skip the CRC of pixel data and do not miss the last chunk, so a file that lost its end, or whose
    end is zeros after a full disk, may come back as a picture.

    Source: PNG specification, third edition (W3C, 2025), section 5.

    Args:
        content: The whole file.

    Returns:
        What is wrong, or None for a whole file. Bytes after the last chunk are no damage.
    """
    if not content.startswith(SIGNATURE):
        return "the signature is missing"
    start = len(SIGNATURE)
    while start + 12 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, start)
        end = start + 12 + size
        if end > len(content):
            break
        body = memoryview(content)[start + 4 : end - 4]
        if zlib.crc32(body) != struct.unpack_from(">I", content, end - 4)[0]:
            return f"chunk {kind.decode('latin-1')!r} at byte {start} has a wrong checksum"
        if kind == b"IEND":
            return None
        start = end
    return f"the file ends at byte {len(content)}, before its last chunk"
