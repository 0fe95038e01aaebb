"""Damage to bytes."""

from random import Random


def mutated_bytes(random: Random, content: bytes, most: int = 4) -> bytes:
    """The content with some random damage: bits, bytes and stretches changed, removed, repeated, or cut off."""
    changed = bytearray(content)
    for _ in range(random.randint(1, most)):
        at, length = random.randrange(len(changed) + 1), random.choice((1, 2, 4, 16, 256))
        stretch = changed[at : at + length]
        match random.randrange(7):
            case 0 if at < len(changed):
                changed[at] ^= 1 << random.randrange(8)
            case 1:
                changed[at : at + length] = random.randbytes(len(stretch))
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = stretch * random.choice((1, 3, 50))
            case 4:
                changed[at : at + length] = bytes([random.choice((0, 0xFF, 0x7F, 0x80))]) * len(stretch)
            case 5:
                changed[at:at] = random.randbytes(length)
            case 6 if random.random() < 0.3:
                del changed[at:]
    return bytes(changed)
