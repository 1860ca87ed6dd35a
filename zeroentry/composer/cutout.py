"""Developer tool: how the committed portrait cut-outs and the caption bitmap were made, once.

Run with the two public-domain photographs taken out of their wheels (see portraits/NOTICE):

    python -m zeroentry.composer.cutout astronaut.png grace_hopper.jpg OUT_DIR

It needs ffmpeg with drawtext and Debian's fonts-noto-cjk for the caption. Nothing at run time
calls this module; it is kept so that the bitmaps can be made again and judged.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from zeroentry.composer.pixels import Image

Polygon = tuple[tuple[int, int], ...]

# Strokes drawn by hand on the photographs: surely person, surely not. Everything else is grabCut's.
COLLINS_PERSON: tuple[Polygon, ...] = (
    ((175, 40), (270, 40), (290, 90), (270, 120), (255, 170), (200, 170), (180, 120), (160, 90)),
    ((185, 150), (255, 150), (280, 200), (290, 260), (150, 240), (140, 190), (180, 170)),
    ((60, 300), (120, 220), (300, 270), (330, 300), (280, 400), (270, 505), (40, 505), (30, 460)),
)
COLLINS_BACKDROP: tuple[Polygon, ...] = (
    # The helmet that she holds is not a part of a person who evaluates bids.
    ((365, 270), (365, 511), (285, 511), (283, 460), (300, 400), (330, 372), (365, 352)),
    ((364, 0), (511, 0), (511, 511), (364, 511)),
    ((0, 0), (70, 0), (100, 230), (60, 250), (22, 420), (20, 511), (0, 511)),
)
HOPPER_PERSON: tuple[Polygon, ...] = (
    ((180, 60), (330, 60), (365, 110), (365, 180), (340, 280), (300, 340), (230, 340), (180, 270)),
    ((188, 290), (205, 270), (330, 270), (320, 340), (210, 340)),
    ((60, 400), (200, 340), (330, 340), (480, 400), (500, 599), (40, 599)),
)
HOPPER_BACKDROP: tuple[Polygon, ...] = (
    ((0, 0), (145, 0), (145, 300), (190, 312), (60, 370), (0, 470)),
    ((0, 0), (154, 0), (154, 200), (166, 225), (182, 262), (188, 272), (196, 312), (150, 330)),
    ((385, 0), (511, 0), (511, 395), (440, 360), (345, 318), (375, 240)),
)
# Name plate and ribbons: nobody in the room plays an officer.
HOPPER_INSIGNIA: tuple[Polygon, ...] = (
    ((72, 478), (174, 482), (176, 524), (72, 518)),
    ((318, 482), (458, 482), (460, 534), (314, 534)),
    ((226, 570), (266, 570), (266, 599), (226, 599)),
)
# The cap above this line becomes hair.
HOPPER_CAP: Polygon = (
    (130, 0), (390, 0), (390, 190), (366, 178), (352, 150), (318, 134), (262, 130), (210, 134),
    (176, 146), (160, 176), (148, 210), (130, 210),
)  # fmt: skip
COLLINS_SCALE = 0.80  # a head of 120 px in both files: three times what 640x360 shows
HOPPER_SCALE = 0.55
SPECK_PX = 1500  # holes smaller than this inside a person are grabCut's mistakes
CAPTION = "模拟画面"
CAPTION_FONT = "Noto Sans CJK SC"  # by name: the first face of the file has Japanese shapes
CAPTION_HEIGHT_PX = 48


def fill(mask: npt.NDArray[np.uint8], polygons: tuple[Polygon, ...], value: int) -> None:
    """Fill polygons into a mask, in place."""
    for polygon in polygons:
        cv2.fillPoly(mask, [np.array(polygon, dtype=np.int32)], (value,))


def person_alpha(
    photo: Image, person: tuple[Polygon, ...], backdrop: tuple[Polygon, ...]
) -> npt.NDArray[np.uint8]:
    """Return the soft alpha (HxW uint8) of the one person in a BGR photograph."""
    height, width = photo.shape[:2]
    mask = np.full((height, width), cv2.GC_PR_FGD, np.uint8)
    mask[:8] = cv2.GC_BGD
    fill(mask, backdrop, cv2.GC_BGD)
    fill(mask, person, cv2.GC_FGD)
    cv2.setRNGSeed(7)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(photo, mask, (0, 0, width, height), *models, 8, cv2.GC_INIT_WITH_MASK)
    alpha = np.where((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    alpha = cast(
        npt.NDArray[np.uint8], cv2.morphologyEx(alpha, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    )
    _, labels, stats, _ = cv2.connectedComponentsWithStats(alpha)
    alpha = np.where(labels == 1 + int(stats[1:, 4].argmax()), 255, 0).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.bitwise_not(alpha))
    for label in range(1, len(stats)):
        if stats[label, 4] < SPECK_PX:
            alpha[labels == label] = 255
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    return cast(npt.NDArray[np.uint8], cv2.GaussianBlur(cv2.erode(alpha, disc), (0, 0), 1.6))


def cap_to_hair(photo: Image, alpha: npt.NDArray[np.uint8]) -> None:
    """Paint grey hair over the cap and round the crown, in place."""
    height, width = alpha.shape
    cap = np.zeros((height, width), np.uint8)
    fill(cap, (HOPPER_CAP,), 255)
    soft = cv2.GaussianBlur(cap, (0, 0), 4).astype(np.float32)[..., None] / 255
    rng = np.random.default_rng(11)
    strands = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), sigmaX=1.2, sigmaY=14)
    sheen = np.exp(-(((np.arange(height) - 85) / 40.0) ** 2))[:, None]
    grey = np.clip(84 + 110 * strands + 26 * sheen, 20, 220).astype(np.float32)[..., None]
    photo[:] = (photo * (1 - soft) + grey * soft).astype(np.uint8)
    crown = np.zeros((height, width), np.uint8)
    cv2.ellipse(crown, (263, 160), (112, 118), 0, 0, 360, (255,), -1)
    crown[160:] = 255
    crown = cast(npt.NDArray[np.uint8], cv2.GaussianBlur(crown, (0, 0), 3))
    alpha[:] = np.minimum(alpha, crown)


def write_cutout(path: Path, photo: Image, alpha: npt.NDArray[np.uint8], scale: float) -> None:
    """Write BGR and alpha as one RGBA PNG, scaled."""
    bgra = np.dstack([photo, alpha])
    bgra[alpha == 0] = 0
    small = cv2.resize(bgra, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), small, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def write_caption(path: Path) -> None:
    """Write the Chinese caption as an 8-bit alpha PNG (white on black)."""
    size = f"{CAPTION_HEIGHT_PX * len(CAPTION) + 8}x{CAPTION_HEIGHT_PX + 16}"
    draw = (
        f"drawtext=font={CAPTION_FONT}:text={CAPTION}:fontsize={CAPTION_HEIGHT_PX}"
        ":fontcolor=white:x=4:y=2"
    )
    source = f"color=black:s={size}:d=1"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-vf", draw]
    subprocess.run([*command, "-frames:v", "1", "-pix_fmt", "gray", str(path)], check=True)


def main(collins: Path, hopper: Path, out: Path) -> None:
    """Make the two cut-outs and the caption in `out`."""
    photo = cast(Image, cv2.imread(str(collins)))
    write_cutout(
        out / "collins.png",
        photo,
        person_alpha(photo, COLLINS_PERSON, COLLINS_BACKDROP),
        COLLINS_SCALE,
    )
    photo = cast(Image, cv2.imread(str(hopper)))
    alpha = person_alpha(photo, HOPPER_PERSON, HOPPER_BACKDROP)
    insignia = np.zeros(alpha.shape, np.uint8)
    fill(insignia, HOPPER_INSIGNIA, 255)
    photo = cast(Image, cv2.inpaint(photo, insignia, 5, cv2.INPAINT_TELEA))
    cap_to_hair(photo, alpha)
    write_cutout(out / "hopper.png", photo, alpha, HOPPER_SCALE)
    write_caption(out / "caption_zh.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
