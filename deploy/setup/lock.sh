#!/bin/sh
# Writes requirements/*.txt from pyproject.toml and requirements/*.in: every version and its hashes.
# The files hold no addresses, so a site installs from whatever index or mirror it has.
#
#   deploy/setup/lock.sh            keep what is locked where it still fits
#   deploy/setup/lock.sh --upgrade  take the newest of everything
set -eu
cd "$(dirname "$0")/../.."

venv=build/lock-venv
if ! cmp -s requirements/lock.txt "$venv/done"; then
    echo "lock: installing uv into $venv"
    python3 -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --require-hashes -r requirements/lock.txt
    cp requirements/lock.txt "$venv/done"
fi

compile() {
    output=$1
    shift
    echo "lock: requirements/$output.txt"
    "$venv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --custom-compile-command "make lock" \
        -o "requirements/$output.txt" "$@"
}

for extra in edge controller demo dev robot; do
    compile "$extra" --extra "$extra" "$@" pyproject.toml requirements/build.in
done
compile edge-pickup --extra edge --extra pickup "$@" pyproject.toml requirements/build.in
compile edge-openvino --extra edge --extra openvino "$@" pyproject.toml requirements/build.in
compile controller-postgres --extra controller --extra postgres "$@" pyproject.toml requirements/build.in
compile esphome "$@" requirements/esphome.in
compile lock "$@" requirements/lock.in
