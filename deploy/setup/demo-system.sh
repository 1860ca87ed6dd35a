#!/bin/sh
# What the demo needs from the system beside Python: a font with Chinese, for the PDF of the witness
# report. Without it everything else plays, and the report stays a draft.
set -eu
cd "$(dirname "$0")/../.."
. deploy/setup/apt.sh

found=$(find /usr/share/fonts /usr/local/share/fonts "$HOME/.fonts" -iname 'NotoSansCJK*' \
    2>/dev/null | head -n 1)
[ -n "$found" ] ||
    need_packages "a font with Chinese, for the signed report" fonts-noto-cjk ||
    echo "Going on without it: the witness report will stay a draft." >&2
