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
debian_mirror() { # the Debian mirror of this machine's own apt configuration, security archives apart
    apt-get update --print-uris 2>/dev/null |
        sed -n "s#^'\(.*/\)dists/\(bookworm\|trixie\|forky\|sid\|stable\|testing\|unstable\)/InRelease'.*#\1#p" |
        grep -v security | head -n 1
}
# FOLDER PACKAGE...: Debian's packages, with what they need beyond this machine's own, unpacked into FOLDER/root; by anyone.
unpack_debs() {
    into=$1
    shift
    command -v apt-get >/dev/null 2>&1 || die \
        "no apt-get: please install by hand: $*" "没有 apt-get，请手动安装: $*"
    mkdir -p "$into/lists/partial" "$into/cache/archives/partial" "$into/root"
    options="-q -o Dir::State::Lists=$into/lists -o Dir::Cache=$into/cache -o Debug::NoLocking=true"
    options="$options -o APT::Sandbox::User=$(id -un)"
    # shellcheck disable=SC2086  # several words
    apt-get $options update >/dev/null
    # shellcheck disable=SC2086
    apt-get $options -y --no-install-recommends --reinstall --download-only install "$@" >/dev/null
    for deb in "$into"/cache/archives/*.deb; do dpkg -x "$deb" "$into/root"; done
    rm -rf "$into/lists" "$into/cache"
}
# NAME PROGRAM LIBRARY UNITS: make NAME, which runs root/PROGRAM beside it with the libraries that lie where LIBRARY does,
# wherever the folder is; for systemd's tools, with the units that lie where UNITS does.
launcher() {
    # shellcheck disable=SC2016  # $0, $PWD and $d are the launcher's own
    printf '#!/bin/sh\ncase $0 in /*) d=${0%%/*} ;; *) d=$PWD/${0%%/*} ;; esac\nSYSTEMD_UNIT_PATH="$d/%s:" LD_LIBRARY_PATH="$d/%s" exec "$d/%s" "$@"\n' \
        "${4%/*}" "${3%/*}" "root/$2" >"$1"
    chmod +x "$1"
}
# FOLDER MIRROR SUITE ARCH: point apt (through APT_CONFIG) at one suite for one architecture, with lists, cache and status of
# its own below FOLDER/apt, so that Debian's signatures are checked and nothing of this machine's apt is touched. FOLDER/debs
# and FOLDER/root are made empty.
private_apt() {
    rm -rf "$1/apt" "$1/debs" "$1/root"
    mkdir -p "$1/apt/lists/partial" "$1/apt/cache/archives/partial" "$1/apt/none" "$1/debs" "$1/root"
    : >"$1/apt/status"   # an empty dpkg status: nothing counts as installed
    echo "deb [arch=$4 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $2 $3 main" >"$1/apt/sources.list"
    cat >"$1/apt/apt.conf" <<CONF
APT::Architecture "$4"; APT::Architectures { "$4"; }; APT::Sandbox::User "root";
Acquire::Languages "none"; Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Dir::State::Lists "$1/apt/lists"; Dir::State::status "$1/apt/status"; Dir::Cache "$1/apt/cache";
Dir::Etc::SourceList "$1/apt/sources.list"; Dir::Etc::SourceParts "$1/apt/none";
Dir::Etc::Preferences "$1/apt/none/x"; Dir::Etc::PreferencesParts "$1/apt/none";
CONF
    export APT_CONFIG="$1/apt/apt.conf"
    apt-get -q update
}
