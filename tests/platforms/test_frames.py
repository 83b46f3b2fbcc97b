"""Frames come out of the stream as they went in, however it was cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.platforms.frames import ANSWER, DATA, OPEN, Decoder, Frame, encode

frames = st.builds(Frame, st.integers(OPEN, ANSWER), st.integers(0, 2**32 - 1), st.binary(max_size=40))


@given(st.lists(frames, max_size=8), st.integers(1, 20))
def test_a_stream_cut_anywhere_gives_the_same_frames(sent: list[Frame], step: int) -> None:
    stream, decoder = b"".join(map(encode, sent)), Decoder()
    got = [frame for at in range(0, len(stream), step) for frame in decoder.feed(stream[at : at + step])]
    assert got == sent


@pytest.mark.parametrize("stream", [b"error: no such pod", encode(Frame(DATA, 1))[:5] + b"\xff" * 4])
def test_what_is_no_frame_is_refused_with_its_first_bytes(stream: bytes) -> None:
    with pytest.raises(ValueError, match="no frame begins with"):
        list(Decoder().feed(stream))
