# Sourced by the scripts beside it: installs Debian packages, or says the one line that does.

# need_packages WHY PACKAGE...
need_packages() {
    why=$1
    shift
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "Missing: $why. Install what your system calls: $*" >&2
        return 1
    fi
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        echo "Missing: $why. This line installs it; then start again:" >&2
        echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends $*" >&2
        return 1
    fi
    echo "Installing with apt-get: $* ($why)"
    # Old lists name packages that the mirror has replaced since.
    $as_root apt-get update -qq </dev/null || echo "apt-get update failed; trying with old lists" >&2
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" </dev/null
}
