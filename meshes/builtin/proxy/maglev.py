"""Consistent hashing by a table that every endpoint fills in an order of its own. Pure.

Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, §3.4. Every proxy with the same endpoints has
the same table, so the hash has no seed. An endpoint that is out for a while doesn't change the table: what was its goes to whoever comes
next in it, which spreads it over all others and moves nothing else.
"""

from array import array
from binascii import crc32
from collections.abc import Callable, Sequence

_MASK = 0xFFFFFFFFFFFFFFFF


def mixed(number: int) -> int:
    """64 bits, each of which depends on all of the number's (the finalizer of splitmix64: Steele et al., 2014)."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def table(names: Sequence[str], size: int) -> "array[int]":
    """`size` entries, a prime: each the index of one of the names. Takes about a microsecond per entry."""
    found = array("i", [-1]) * size
    hashes = [mixed(crc32(name.encode())) for name in names]
    places = [each % size for each in hashes]
    skips = [mixed(each) % (size - 1) + 1 for each in hashes]
    left = size if names else 0
    while left:
        for index, skip in enumerate(skips):
            place = places[index]
            while found[place] >= 0:
                place = (place + skip) % size
            found[place] = index
            places[index] = (place + skip) % size
            left -= 1
            if not left:
                break
    return found


def first(entries: Sequence[int], key: bytes, well: Callable[[int], bool]) -> int:
    """The index that a key falls on, or the next one in the table that is well; at least one has to be."""
    size = len(entries)
    place = mixed(crc32(key)) % size
    for step in range(size):
        index = entries[(place + step) % size]
        if well(index):
            return index
    raise LookupError("nobody in the table is well")
