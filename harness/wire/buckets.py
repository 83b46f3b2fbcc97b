"""Log-linear latency buckets as plain integers, so that a service can count without a histogram library.

Values below 512 have a bucket each; above, every power of two is cut into 256, so a bucket is at most 0.4 % wide. Bucket
`i` of shift `s` holds the integers from `low(i)` to `low(i) + width(i) - 1`. The scheme is that of HdrHistogram with 256
sub-buckets per half and no upper end.
"""

SUB_BITS = 8
EXACT_BELOW = 2 << SUB_BITS


def index(value: int) -> int:
    """The bucket of a non-negative integer."""
    shift = value.bit_length() - SUB_BITS - 1
    if shift <= 0:
        return value
    return (shift << SUB_BITS) + (value >> shift)


def low(bucket: int) -> int:
    """The smallest value of a bucket."""
    if bucket < EXACT_BELOW:
        return bucket
    shift = (bucket >> SUB_BITS) - 1
    return (bucket - (shift << SUB_BITS)) << shift


def width(bucket: int) -> int:
    """How many integers share the bucket."""
    return 1 if bucket < EXACT_BELOW else 1 << ((bucket >> SUB_BITS) - 1)
