#!/bin/sh
# Makes .venv hold exactly what one lock names, and the project itself: deploy/setup/bootstrap.sh
# [demo|dev|edge|controller|robot]. ROS (robot) lives apart, in .venv-robot (docs/adr/0005). Needs no root and no compiler. A second run finds its stamp and ends
# at once; a run that was interrupted starts afresh.
set -eu
cd "$(dirname "$0")/../.."
. deploy/setup/apt.sh

extra=${1:-demo}
case $extra in
robot) venv=${VENV:-.venv-robot} ;;
*) venv=${VENV:-.venv} ;;
esac
lock=requirements/$extra.txt
stamp=$venv/.zero-entry
busy=$venv/.zero-entry-unfinished

# Measured on 2026-11-22, Python 3.11 on x86_64: the sum of the wheels.
case $extra in
demo) size_mb=264 ;;
dev) size_mb=405 ;;
edge) size_mb=207 ;;
controller) size_mb=127 ;;
robot) size_mb=160 ;;
*)
    echo "bootstrap: no lock for '$extra'; there are: demo dev edge controller robot" >&2
    exit 2
    ;;
esac

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

python=$(find_python)
if [ -z "$python" ]; then
    found=$(python3 --version 2>/dev/null || echo "no python3")
    echo "Zero Entry needs Python 3.11 or newer; found: $found." >&2
    echo "Debian 12, Ubuntu 24.04 and newer have it:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y python3 python3-venv" >&2
    echo "Ubuntu 22.04 has it beside its own:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y python3.11 python3.11-venv" >&2
    exit 1
fi

# What makes an installation the same: the lock, the project's own data, Python, and the place.
key() {
    "$python" - "$1" <<'PY'
import hashlib, pathlib, sys

digest = hashlib.sha256()
for name in (sys.argv[1], "pyproject.toml"):
    digest.update(pathlib.Path(name).read_bytes())
digest.update(f"{sys.version} {pathlib.Path.cwd()}".encode())
print(digest.hexdigest())
PY
}

wanted="$extra $(key "$lock")"
if [ -f "$stamp" ] && [ ! -e "$busy" ] && grep -qxF "$wanted" "$stamp"; then
    exit 0
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian and Ubuntu split venv off Python.
    minor=$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')
    case $python in
    python3) package=python3-venv ;;
    *) package=$minor ;;
    esac
    need_packages "venv for $python" "$package" || exit 1
fi

started_here() { # is the environment ours, whole, and from this very folder and Python?
    [ -x "$venv/bin/python" ] && [ ! -e "$busy" ] &&
        "$venv/bin/python" -m pip --version >/dev/null 2>&1 &&
        grep -qF "$(pwd)" "$venv/bin/activate" 2>/dev/null &&
        [ "$("$venv/bin/python" -c 'import sys; print(sys.version)')" = \
            "$("$python" -c 'import sys; print(sys.version)')" ]
}

if ! started_here; then
    [ ! -e "$busy" ] || echo "An earlier installation was interrupted: starting afresh."
    "$python" -m venv --clear "$venv"
fi

bar=off
if [ -t 1 ]; then bar=on; fi
echo "Installing $(grep -c '^[a-z].*==' "$lock") packages of $lock into $venv"
echo "(the first time this downloads up to $size_mb MB; later runs start at once)"
: >"$busy"
"$venv/bin/python" -m pip install --disable-pip-version-check --no-input --progress-bar "$bar" \
    ${QUIET:+--quiet} --require-hashes -r "$lock"
# Everything it needs is there and was checked by hash: this step asks nobody.
"$venv/bin/python" -m pip install --disable-pip-version-check --no-input --quiet --no-index \
    --no-deps --no-build-isolation --editable .
echo "$wanted" >"$stamp"
if [ "$extra" = dev ]; then
    # The dev lock holds all of the demo's (tests/unit/test_requirements.py).
    echo "demo $(key requirements/demo.txt)" >>"$stamp"
fi
rm -f "$busy"
echo "Installed."
