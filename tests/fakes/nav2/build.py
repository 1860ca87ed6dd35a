"""Builds published interfaces that no index has with ROS's own generators, without CMake.

    .venv-robot/bin/python tests/fakes/nav2/build.py build/nav2 nav2_msgs

Run in the bridge's environment. Afterwards ``build/nav2/python`` belongs on PYTHONPATH and
``build/nav2/lib`` on LD_LIBRARY_PATH. What was built from the same files is kept.
"""

import hashlib
import os
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = {"nav2_msgs": HERE / "interfaces", "tf2_msgs": HERE / "tf2"}
PREFIX = Path(sys.prefix)
USES = (
    "geometry_msgs",
    "std_msgs",
    "builtin_interfaces",
    "action_msgs",
    "service_msgs",
    "unique_identifier_msgs",
)
KINDS = (
    "rosidl_typesupport_c",
    "rosidl_typesupport_fastrtps_c",
    "rosidl_typesupport_introspection_c",
)


def build(out: Path, package: str) -> None:
    source = SOURCES[package]
    files = [row for row in (*source.rglob("*"), Path(__file__)) if row.is_file()]
    wanted = hashlib.sha256(b"".join([sys.version.encode(), *(row.read_bytes() for row in files)]))
    stamp = out / "stamp"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted.hexdigest():
        return
    generate(out, source, package)
    compile_all(out, package)
    stamp.write_text(wanted.hexdigest(), encoding="utf-8")


def generate(out: Path, source: Path, package: str) -> None:
    os.environ["AMENT_PREFIX_PATH"] = str(PREFIX)
    from rosidl_adapter.cli import TranslateActionToIDL, TranslateMsgToIDL
    from rosidl_generator_c.cli import GenerateC
    from rosidl_generator_py.cli import GeneratePython
    from rosidl_generator_type_description.cli import HashTypeDescription
    from rosidl_typesupport_c.cli import GenerateCTypesupport
    from rosidl_typesupport_fastrtps_c.cli import GenerateFastRTPSCTypesupport
    from rosidl_typesupport_introspection_c.cli import GenerateIntrospectionCTypesupport

    os.chdir(source)  # they read below the folder that they stand in
    known = [str(PREFIX / "share")]
    idl = []
    for translator, kind in ((TranslateActionToIDL(""), "action"), (TranslateMsgToIDL(""), "msg")):
        names = sorted(str(row.relative_to(source)) for row in source.glob(f"{kind}/*.{kind}"))
        if names:
            idl += translator.translate(package, names, known, out)
    hashes = HashTypeDescription("").generate_type_hashes(package, idl, known, out)
    # A folder each: two of them write files of the same name.
    GenerateC("").generate(package, idl, known, out / "c" / package, hashes)
    for name, generator in (
        ("fastrtps", GenerateFastRTPSCTypesupport("")),
        ("introspection", GenerateIntrospectionCTypesupport("")),
        ("dispatch", GenerateCTypesupport("")),
    ):
        generator.generate(package, idl, known, out / name / package)
    GeneratePython("").generate(package, idl, known, out / "python" / package)
    (out / "python" / package / "__init__.py").touch()


def compile_all(out: Path, package: str) -> None:
    import numpy as np

    folders = [out / name for name in ("c", "fastrtps", "introspection", "dispatch")]
    headers = [*folders, PREFIX / "include", *(PREFIX / "include").iterdir()]
    headers += [Path(sysconfig.get_path("include")), Path(np.get_include())]
    common = ["-O0", "-w", "-fPIC", *(f"-I{row}" for row in headers)]
    sources = [row for folder in folders for row in folder.rglob("*.c*")]
    sources += [row for row in (out / "python").rglob("*.c") if ".ep." not in row.name]
    objects = [out / "obj" / f"{index}.o" for index in range(len(sources))]
    (out / "obj").mkdir(exist_ok=True)
    (out / "lib").mkdir(exist_ok=True)

    def one(source: Path, made: Path) -> None:
        cc = ["g++", "-std=c++17"] if source.suffix == ".cpp" else ["gcc"]
        subprocess.run([*cc, *common, "-c", str(source), "-o", str(made)], check=True)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, sources, objects))
    needed = [
        f"-l:{row.name}" for name in USES for row in (PREFIX / "lib").glob(f"lib{name}__*_c.so")
    ]
    needed += [f"-l:{row.name}" for row in (PREFIX / "lib").glob("librosidl_*_c.so")]
    python = [f"lib{name}__rosidl_generator_py.so" for name in USES]
    needed += [f"-l:{name}" for name in python if (PREFIX / "lib" / name).exists()]
    needed += ["-l:librosidl_typesupport_fastrtps_cpp.so", "-lfastcdr"]
    link = ["-shared", "-Wl,--allow-shlib-undefined", f"-L{PREFIX / 'lib'}"]
    main_library = f"lib{package}__rosidl_typesupport_c.so"
    main = out / "lib" / main_library
    subprocess.run(["g++", *link, *map(str, objects), *needed, "-o", str(main)], check=True)
    for kind in KINDS[1:]:
        other = out / "lib" / f"lib{package}__{kind}.so"
        other.unlink(missing_ok=True)
        other.symlink_to(main_library)  # all of it is in the one
    folder = out / "python" / package
    ending = sysconfig.get_config_var("EXT_SUFFIX")
    for kind in KINDS:
        entry = folder / f"_{package}_s.ep.{kind}.c"
        made = folder / f"{package}_s__{kind}{ending}"
        more = [f"-L{out / 'lib'}", f"-l:{main_library}"]
        subprocess.run(["gcc", *common, *link, str(entry), *more, "-o", str(made)], check=True)


if __name__ == "__main__":
    target = Path(sys.argv[1]).resolve()
    target.mkdir(parents=True, exist_ok=True)
    build(target, sys.argv[2])
