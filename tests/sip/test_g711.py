"""G.711: the tables of the standard, the tone that we make, and what counts as silence."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise

import pytest

from sip_harness.sip import g711
from sip_harness.sip.g711 import Codec

CODECS: tuple[Codec, ...] = ("PCMU", "PCMA")
DECODE = {"PCMU": g711.decode_ulaw, "PCMA": g711.decode_alaw}
ENCODE = {"PCMU": g711.encode_ulaw, "PCMA": g711.encode_alaw}


@pytest.mark.parametrize(
    ("byte", "sample"), [(0xFF, 0), (0x7F, 0), (0x80, 32124), (0x00, -32124), (0xFE, 8), (0x7E, -8), (0xEF, 132)]
)
def test_ulaw_by_the_table(byte: int, sample: int) -> None:
    assert g711.decode_ulaw(byte) == sample


@pytest.mark.parametrize(
    ("byte", "sample"), [(0xD5, 8), (0x55, -8), (0xAA, 32256), (0x2A, -32256), (0xD4, 24), (0x54, -24), (0xC5, 264)]
)
def test_alaw_by_the_table(byte: int, sample: int) -> None:
    assert g711.decode_alaw(byte) == sample


@pytest.mark.parametrize("codec", CODECS)
def test_every_byte_comes_back(codec: Codec) -> None:
    negative_zero = {0x7F} if codec == "PCMU" else set()
    back = {byte: ENCODE[codec](DECODE[codec](byte)) for byte in range(256)}
    assert {byte for byte, found in back.items() if byte != found} == negative_zero


@pytest.mark.parametrize("codec", CODECS)
def test_every_sample_comes_back_near(codec: Codec) -> None:
    for sample in range(-32_768, 32_768, 7):
        error = abs(DECODE[codec](ENCODE[codec](sample)) - sample)
        assert error <= max(abs(sample) / 16, 16), sample


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_too_loud_is_clipped(codec: Codec) -> None:
    assert ENCODE[codec](90_000) == ENCODE[codec](32_767)
    assert ENCODE[codec](-90_000) == ENCODE[codec](-32_768)


@pytest.mark.parametrize("codec", CODECS)
def test_python_s_own_codec_agrees(codec: Codec) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = pytest.importorskip("audioop", reason="this Python has none any more")
    theirs = audioop.lin2ulaw if codec == "PCMU" else audioop.lin2alaw
    samples = range(-32_768, 32_768)
    raw = b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)
    assert bytes(ENCODE[codec](sample) for sample in samples) == theirs(raw, 2)


@pytest.mark.parametrize("codec", CODECS)
def test_a_tone_has_its_pitch_and_joins_without_a_click(codec: Codec) -> None:
    samples = [DECODE[codec](byte) for byte in g711.frame("tone", codec) * 2]
    assert len(samples) == 2 * g711.FRAME
    crossings = sum(1 for a, b in pairwise(samples) if (a < 0) != (b < 0))
    assert crossings * g711.RATE / (2 * len(samples)) == pytest.approx(g711.TONE, rel=0.05)
    steepest = 2 * math.pi * g711.TONE / g711.RATE * max(samples)
    assert max(abs(b - a) for a, b in pairwise(samples)) <= 1.15 * steepest


@pytest.mark.parametrize("codec", CODECS)
def test_a_tone_can_be_heard_and_silence_cannot(codec: Codec) -> None:
    assert g711.is_audible(g711.frame("tone", codec), codec)
    assert not g711.is_audible(g711.frame("silence", codec), codec)
    assert len(g711.frame("silence", codec)) == g711.FRAME


@pytest.mark.parametrize("codec", CODECS)
def test_comfort_noise_is_silence_and_little_is_needed_to_be_heard(codec: Codec) -> None:
    noise = bytes(ENCODE[codec](sample) for sample in (300, -300) * 80)
    assert not g711.is_audible(noise, codec)
    word = bytes(ENCODE[codec](3000) for _ in range(16))
    assert g711.is_audible(noise[16:] + word, codec)
    assert not g711.is_audible(noise[15:] + word[1:], codec)


def test_nothing_cannot_be_heard() -> None:
    assert not g711.is_audible(b"", "PCMU")


def test_the_two_codecs_have_their_numbers() -> None:
    assert [g711.codec_of(n) for n in (0, 8, 9, 101)] == ["PCMU", "PCMA", None, None]
