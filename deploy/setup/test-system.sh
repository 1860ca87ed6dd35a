#!/bin/sh
# What tests need from the system, beside Python: a browser, a broker, git, fonts with Chinese.
set -eu
cd "$(dirname "$0")/../.."
. deploy/setup/apt.sh

has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

missing=
has chromium || has chromium-browser || has google-chrome || missing="$missing chromium"
has mosquitto || missing="$missing mosquitto"
has git || missing="$missing git"
[ -n "$(find /usr/share/fonts /usr/local/share/fonts "$HOME/.fonts" -iname 'NotoSansCJK*' 2>/dev/null |
    head -n 1)" ] || missing="$missing fonts-noto-cjk"
# The driver that Playwright brings is a Node.js that a minimal Debian cannot load without this.
[ -n "$(find /usr/lib /lib -name 'libatomic.so.1*' 2>/dev/null | head -n 1)" ] ||
    missing="$missing libatomic1"
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086  # a list of words
    need_packages "what tests drive: a browser, a broker, git, Chinese fonts" $missing
fi
