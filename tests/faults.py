"""Damage for files of the IDX format, gzipped or not: what disks, networks and enemies do to them.

Each fault takes a generator and a whole gzipped file, and returns another file.
"""

import functools
import gzip
import math
import struct
import zlib
from collections.abc import Callable
from random import Random

import numpy as np

PAGE = b"\xef\xbb\xbf\n<!DOCTYPE html><title>Please sign in</title>"
AXES = (0, 1, 5, 28, 2**16, 2**31 - 1, 2**31, 2**32 - 1)


def reference(data: bytes) -> np.ndarray | None:
    """What a file holds by the definition of its format, read without any limit; None if nothing.

    The standard library's gzip unpacks it. It overlooks two things that zlib does not: flags that
    have no meaning yet, and the checksum of a member's header.
    """
    try:
        data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        zero, kind, axes = struct.unpack_from(">HBB", data)
        shape = struct.unpack_from(f">{axes}I", data, 4)
    except (EOFError, gzip.BadGzipFile, zlib.error, struct.error):
        return None
    values = data[4 + 4 * axes :]
    if (zero, kind) != (0, 8) or axes not in (1, 3) or len(values) != math.prod(shape):
        return None
    if 0 in shape and max(shape) > 2**16:
        return None  # no array has these axes, even without values
    return np.frombuffer(values, np.uint8).reshape(shape)


def member(contents: bytes, flags: int = 0, fields: bytes = b"", level: int = 6) -> bytes:
    """Return one member of a gzip file, with optional fields in its header."""
    header = b"\x1f\x8b\x08" + bytes([flags]) + bytes(5) + b"\xff" + fields
    body = zlib.compress(contents, level, wbits=-zlib.MAX_WBITS)
    return header + body + struct.pack("<II", zlib.crc32(contents), len(contents))


def flip(rng: Random, data: bytes) -> bytes:
    """Flip 1 to 8 bits."""
    flipped = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def cut(rng: Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def overwrite(rng: Random, data: bytes) -> bytes:
    start = rng.randrange(len(data))
    run = rng.randbytes(rng.randint(1, 64))
    return data[:start] + run + data[start + len(run) :]


def move(rng: Random, data: bytes) -> bytes:
    """Lose, repeat or insert a run of bytes."""
    start, stop = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    middle = rng.choice([b"", 2 * data[start:stop], rng.randbytes(9) + data[start:stop]])
    return data[:start] + middle + data[stop:]


def splice(rng: Random, data: bytes) -> bytes:
    """Join the front of the file to the back of another one, or of itself."""
    other = rng.choice([data, member(bytes([0, 0, 8, 1, 0, 0, 0, 9]) + rng.randbytes(9))])
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def axes(rng: Random, contents: bytes) -> bytes:
    """Declare other lengths than there are."""
    changed = bytearray(contents)
    for axis in rng.sample(range(contents[3]), rng.randint(1, contents[3])):
        changed[4 + 4 * axis : 8 + 4 * axis] = rng.choice(AXES).to_bytes(4, "big")
    return bytes(changed)


def magic(rng: Random, contents: bytes) -> bytes:
    return (
        bytes([*rng.choices((0, 1, 8), k=2), rng.randrange(8, 15), rng.randrange(5)]) + contents[4:]
    )


def garbage(rng: Random, data: bytes) -> bytes:
    return data + rng.choice([rng.randbytes(rng.randint(1, 99)), data, PAGE, b"\x1f\x8b"])


def unpacked(fault: Callable) -> Callable:
    """Damage the contents, and leave them unpacked."""
    return lambda rng, data: fault(rng, gzip.decompress(data))


def packed(fault: Callable) -> Callable:
    """Damage the contents, and pack them again, so that gzip finds nothing wrong."""
    return lambda rng, data: gzip.compress(fault(rng, gzip.decompress(data)), rng.randint(0, 9))


def huge(rng: Random, data: bytes) -> bytes:
    """Declare more than any machine holds, or a zero among the lengths that hides it."""
    lengths = rng.choice([[2**32 - 1] * 3, [2**31, 2**31, 4], [0, 2**32 - 1, 2**32 - 1]])
    contents = struct.pack(">BBBB3I", 0, 0, 8, 3, *lengths) + rng.randbytes(rng.randrange(9))
    return rng.choice([contents, gzip.compress(contents)])


@functools.cache
def zeros(megabytes: int, start: bytes) -> bytes:
    """Return a member of so many zeros after ``start``: a thousandth of that, made of one block."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    megabyte = bytes(2**20)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(megabyte) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = zlib.crc32(start)
    for _ in range(megabytes):
        crc = zlib.crc32(megabyte, crc)
    size = (len(start) + megabytes * 2**20) % 2**32
    body = head + megabytes * block + packer.flush()
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + body + struct.pack("<II", crc, size)


def bomb(megabytes: int) -> Callable:
    """Return a fault that unpacks to far more than it says, or truly says what is far too much."""

    def explode(rng: Random, data: bytes) -> bytes:
        said = [bytes([0, 0, 8, 1]) + n.to_bytes(4, "big") for n in (5, 2**20 * megabytes)]
        return rng.choice(
            [
                zeros(megabytes, said[0]),  # five labels, it says
                zeros(megabytes, said[1]),  # the truth
                zeros(megabytes, PAGE),
                zeros(megabytes, b""),
                data + zeros(megabytes, b""),  # a good file, then a member too many
                member(said[0]) + megabytes * zeros(1, b""),
                gzip.compress(zeros(megabytes, said[0])),
            ]
        )

    return explode


def empty_members(rng: Random, data: bytes) -> bytes:
    """Add many members that hold nothing, in front or behind: no more to unpack, but much work."""
    return rng.choice([b"", data]) + 2000 * member(b"") + rng.choice([b"", data, b"!"])


def noise(rng: Random, data: bytes) -> bytes:
    start = rng.choice([b"", b"\x1f\x8b", b"\x1f\x8b\x08", b"\0\0\x08\x03", b"\0\0\x08\x01"])
    return start + rng.randbytes(rng.randrange(200))


def header(rng: Random, data: bytes) -> bytes:
    """Set any flags of gzip's header, with fields that may or may not be theirs."""
    text = rng.randbytes(rng.randrange(20))
    fields = rng.choice([b"", text, text + b"\0", struct.pack("<H", len(text)) + text])
    return member(gzip.decompress(data), rng.randrange(256), fields)


#: What no file may be read after, or only if by luck it is a good one still.
FAULTS: dict[str, Callable[[Random, bytes], bytes]] = {
    "bits flipped, packed": flip,
    "bits flipped, unpacked": unpacked(flip),
    "bits flipped before packing": packed(flip),
    "cut off, packed": cut,
    "cut off, unpacked": unpacked(cut),
    "cut off before packing": packed(cut),
    "bytes overwritten": overwrite,
    "bytes lost, repeated or inserted": move,
    "spliced": splice,
    "spliced, unpacked": unpacked(splice),
    "wrong magic number": packed(magic),
    "wrong lengths, packed": packed(axes),
    "wrong lengths, unpacked": unpacked(axes),
    "lengths beyond any machine": huge,
    "trailing bytes, packed": garbage,
    "trailing bytes before packing": packed(garbage),
    "flags and fields of gzip": header,
    "thousands of empty members": empty_members,
    "noise": noise,
    "empty": lambda rng, data: rng.choice([b"", gzip.compress(b""), b"\0", b"\x1f\x8b"]),
    "a web page": lambda rng, data: rng.choice([PAGE, gzip.compress(PAGE)]),
}


def members(rng: Random, data: bytes) -> bytes:
    contents = gzip.decompress(data)
    cuts = sorted(rng.randrange(len(contents) + 1) for _ in range(rng.randint(1, 9)))
    parts = zip([0, *cuts], [*cuts, len(contents)], strict=True)
    return b"".join(member(contents[a:b], level=rng.randint(0, 9)) for a, b in parts)


def fields(rng: Random, data: bytes) -> bytes:
    """Fill all optional fields of the header, as they should be."""
    extra, text = rng.randbytes(rng.randrange(999)), b"a" * rng.randrange(9999)
    start = b"\x1f\x8b\x08\x1e" + bytes(5) + b"\xff"
    start += struct.pack("<H", len(extra)) + extra + text + b"\0" + text + b"\0"
    crc = struct.pack("<H", zlib.crc32(start) & 0xFFFF)
    return start + crc + member(gzip.decompress(data))[10:]


#: What changes the file and not what it holds.
HARMLESS: dict[str, Callable[[Random, bytes], bytes]] = {
    "in many members": members,
    "all fields of gzip's header": fields,
    "padded with zeros": lambda rng, data: data + bytes(rng.randrange(2**17)),
    "packed otherwise": packed(lambda rng, data: data),
    "unpacked without change": unpacked(lambda rng, data: data),
}
