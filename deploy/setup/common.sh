# Sourced by the other scripts of this folder (POSIX sh). Words for the person who waits, and one way to fail.
say() { printf '[setup] %s\n' "$*"; }
die() { # LINE...: say what is wrong and what to do, in both languages, and stop
    printf '[setup] !! %s\n' "$@" >&2
    exit 1
}
as_root() { # COMMAND...: run it as root, or return 97 when there is no way to
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo -n "$@"
    else return 97
    fi
}
