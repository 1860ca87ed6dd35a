#!/bin/sh
# What tests need from the system, beside Python: a browser, a broker, git, fonts with Chinese,
# a sound server, an RTSP server and PostgreSQL.
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
# PyAudio is built from source against PortAudio; pickups are tested on a real PulseAudio.
has gcc || missing="$missing gcc"
has g++ || missing="$missing g++" # what ROS's generators write is C and C++
[ -f /usr/include/portaudio.h ] || missing="$missing portaudio19-dev"
python3 -c 'import os, sysconfig, sys
sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
    missing="$missing python3-dev libc6-dev"
has pulseaudio || missing="$missing pulseaudio"
[ -n "$(find /usr/lib -name 'libasound_module_pcm_pulse.so' 2>/dev/null | head -n 1)" ] ||
    missing="$missing libasound2-plugins"
# Speaks the sentences that sound rules are tested on.
has espeak-ng || missing="$missing espeak-ng"
# A server of its own for each test run: the controller's store runs on it as on SQLite.
[ -n "$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | head -n 1)" ] ||
    missing="$missing postgresql"
# An RTSP server that is not ours: UDP, digest, H.265, G.711 and Opus, for the recorder's tests.
[ -n "$(find /usr/lib -name 'GstRtspServer-1.0.typelib' 2>/dev/null | head -n 1)" ] ||
    missing="$missing gir1.2-gst-rtsp-server-1.0 gir1.2-gstreamer-1.0 python3-gi \
        gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086  # a list of words
    need_packages "what tests drive: a browser, a broker, git, Chinese fonts, speech, sound and RTSP servers, PostgreSQL" $missing
fi
