#!/bin/sh
# Holds the relay boards of all sites against ESPHome itself: `esphome config` of each of their
# files, with stand-ins for the secrets. Installs ESPHome into build/esphome-venv at the first run
# (two minutes); it is no part of `make test`, which has no time for that.
set -eu
cd "$(dirname "$0")/../.."

venv=build/esphome-venv
if ! cmp -s requirements/esphome.txt "$venv/done"; then
    echo "check-boards: installing ESPHome into $venv"
    python3 -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --require-hashes -r requirements/esphome.txt
    cp requirements/esphome.txt "$venv/done"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=board \
    -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
for board in firmware_configs/*/boards/*.yaml; do
    cp "$board" "$work/"
    file="$work/$(basename "$board")"
    : >"$work/secrets.yaml"
    for secret in $(sed -n 's/^[^#]*!secret \([a-z0-9_]*\).*/\1/p' "$board" | sort -u); do
        case "$secret" in
        *_key) pem="$work/key.pem" ;;
        *_ca | *_certificate) pem="$work/cert.pem" ;;
        *) echo "$secret: stand-in.invalid" >>"$work/secrets.yaml" && continue ;;
        esac
        { echo "$secret: |" && sed 's/^/  /' "$pem"; } >>"$work/secrets.yaml"
    done
    "$venv/bin/esphome" config "$file" >"$work/said" 2>&1 || { cat "$work/said" && exit 1; }
    echo "$board: valid"
done
