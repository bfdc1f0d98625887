#!/usr/bin/env bash
# Pillow leaves the transparent grey of a PNG of 2 or 4 bits opaque.
#
# Guess: a greyscale PNG may name one grey as transparent (tRNS, PNG specification 11.3.2.1). Converted to RGBA by Pillow,
#   pixels of that grey have alpha 0, at whatever bit depth.
# Versions: Pillow 13.0.0.
# Seen: pixels are scaled to 8 bits when they are decoded, grey 1 of 3 becomes 85, and the transparent grey is not: it stays
#   1. No pixel of 2 or 4 bits becomes 1, so that the image is opaque, without a warning. 1 bit and 8 bits are right.
# Output seen:
#   1 bit:  pixel 255, transparent 255, alpha 0
#   2 bits: pixel 85, transparent 1, alpha 255
#   4 bits: pixel 17, transparent 1, alpha 255
#   8 bits: pixel 1, transparent 1, alpha 0
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check pillow==13.0.0

cat > grey.py <<'EOF'
import io
import struct
import sys
import zlib

from PIL import Image


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


seen = []
for depth in (1, 2, 4, 8):
    pixel = 1  # of so many bits: one pixel, the leftmost bits of its row
    row = bytes([0, pixel << 8 - depth])
    png = b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, depth, 0, 0, 0, 0)),
                    chunk(b"tRNS", struct.pack(">H", pixel)), chunk(b"IDAT", zlib.compress(row)), chunk(b"IEND", b"")])
    with Image.open(io.BytesIO(png)) as image:
        grey, _, _, alpha = image.convert("RGBA").getpixel((0, 0))
        print(f"{depth} bit{'s:' if depth > 1 else ': '} pixel {grey}, transparent {image.info['transparency']}, "
              f"alpha {alpha}")
        seen.append((grey, alpha))
if seen != [(255, 0), (85, 255), (17, 255), (1, 0)]:
    sys.exit("the behaviour has changed")
EOF
venv/bin/python grey.py
