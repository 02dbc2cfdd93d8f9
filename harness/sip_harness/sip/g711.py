"""G.711 audio as RTP carries it: a tone, silence, and whether a payload can be heard (ITU-T G.711, RFC 3551 4.5.14)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

Sound = Literal["tone", "silence"]
Codec = Literal["PCMU", "PCMA"]

RATE = 8000
"""Samples per second; a sample is one byte."""
FRAME = 160
"""Samples of 20 ms, the default packet (RFC 3551 4.2)."""
TONE = 400
"""Hertz of our tone: 8 whole periods in a packet, so that packets join without a click."""
AUDIBLE = 330
"""Amplitude (of 32,767) from which a sample counts as sound: 40 dB below full scale. Comfort noise is lower."""
_AMPLITUDE = 8031  # about 12 dB below full scale, as ringback tones are
_CODECS: dict[int, Codec] = {0: "PCMU", 8: "PCMA"}


def codec_of(payload_type: int) -> Codec | None:
    """Codec of a static payload type (RFC 3551 6); None for any that is not G.711."""
    return _CODECS.get(payload_type)


@lru_cache
def frame(kind: Sound, codec: Codec) -> bytes:
    """The payload of one packet of 20 ms; every packet of a tone is the same."""
    step = 2 * math.pi * TONE / RATE
    amplitude = _AMPLITUDE if kind == "tone" else 0
    encode = encode_ulaw if codec == "PCMU" else encode_alaw
    return bytes(encode(round(amplitude * math.sin(step * n))) for n in range(FRAME))


def is_audible(payload: bytes, codec: Codec) -> bool:
    """Whether a tenth or more of the samples is louder than AUDIBLE."""
    return len(payload.translate(None, _quiet(codec))) * 10 >= len(payload) > 0


def encode_ulaw(sample: int) -> int:
    """One byte of a linear sample of 16 bits; louder ones are clipped."""
    sign = 0x80 if sample < 0 else 0
    biased = min(abs(sample >> 2), 8158) + 33  # G.711 is defined on 14 bits
    exponent = biased.bit_length() - 6
    return ~(sign | exponent << 4 | biased >> (exponent + 1) & 0x0F) & 0xFF


def encode_alaw(sample: int) -> int:
    """One byte of a linear sample of 16 bits; louder ones are clipped."""
    sign = 0x80 if sample >= 0 else 0
    magnitude = min(sample if sample >= 0 else ~sample, 32_767)
    exponent = max(magnitude.bit_length() - 8, 0)
    return (sign | exponent << 4 | magnitude >> (exponent + 3 if exponent else 4) & 0x0F) ^ 0x55


def decode_ulaw(byte: int) -> int:
    """The linear sample of 16 bits that a byte stands for."""
    code = ~byte & 0xFF
    magnitude = ((code & 0x0F) << 3 | 0x84) << (code >> 4 & 7)
    return 132 - magnitude if code & 0x80 else magnitude - 132


def decode_alaw(byte: int) -> int:
    """The linear sample of 16 bits that a byte stands for."""
    code = byte ^ 0x55
    exponent, mantissa = code >> 4 & 7, (code & 0x0F) << 4
    magnitude = (mantissa + 0x108) << (exponent - 1) if exponent else mantissa + 8
    return magnitude if code & 0x80 else -magnitude


@lru_cache
def _quiet(codec: Codec) -> bytes:
    """All bytes that stand for samples that cannot be heard."""
    decode = decode_ulaw if codec == "PCMU" else decode_alaw
    return bytes(byte for byte in range(256) if abs(decode(byte)) < AUDIBLE)
