#!/bin/sh
# micropython.sh vm64|vm32 FOLDER   Make FOLDER/micropython: the real MicroPython VM (unix port, >= 1.25), in a
# private folder, without root; nothing is installed into the system and nothing outside FOLDER is written.
#
# Debian 12 has no MicroPython of its own that is new enough, so the package of a newer Debian is unpacked beside
# its own C library. The mirror is the one that this machine's apt already uses; indexes are verified with
# Debian's keys, and the package itself against the SHA-256 below. Only micropython is pinned: its libraries
# change at every point release and the old files vanish; the signed index vouches for them.
#
# Routes, in this order, and the one that worked is said:
#   1. index   trixie's signed index                                     (1.25.0)
#   2. pool    vm32 only: by pool path and hash, with bookworm's libc6   (1.25.0; trixie's i386 index is at times broken)
#   3. forky   forky's signed index                                      (1.26.1; a testing suite: will break one day)
#   4. path    vm64 only: a `micropython` >= 1.25 on PATH
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
vm=$1 folder=$2
trixie_version=1.25.0+ds-1 forky_version=1.26.1+ds-1
case $vm in
    vm64)
        arch=amd64 routes="index forky path"
        trixie_sha=a2c8327c1005cbf0f15c83d1d3b94c20585135c29a97ab1483ada93b82d94a88
        forky_sha=83f5e13ca013498bc9f6719e2635983f76a16c62bad54bdcc230dff87417e5e7 ;;
    vm32)
        arch=i386 routes="index pool forky"
        trixie_sha=a72799821cb45442150f8a7f0757bc8e4f9a4b64abccbd837d694a20d6900bb5
        forky_sha=11048df6c849f1e96bc4290360a294583d3c9e949c92efcd8bf79d40074a8180 ;;
    *) die "usage: micropython.sh vm64|vm32 FOLDER" ;;
esac
libraries="libc6 libffi8 libmbedcrypto16 libmbedtls21 libmbedx509-7"

route_index() { # SUITE VERSION SHA256
    private_apt "$folder" "$mirror" "$1" "$arch" && cd "$folder/debs" &&
        apt-get -q download "micropython=$2" $libraries &&
        echo "$3  $(ls micropython_*.deb)" | sha256sum -c - && unpack
}

fetch_pool() { # POOL-PATH SHA256
    /usr/lib/apt/apt-helper download-file "${mirror}pool/main/$1" "$(basename "$1")" "SHA256:$2"
}

# i386 needs glibc 2.34 only, so bookworm's C library carries it; the rest comes by path, and its hashes were computed
# from a first download (no signed index was seen for these files).
route_pool() {
    private_apt "$folder" "$mirror" bookworm "$arch" && cd "$folder/debs" && apt-get -q download libc6 &&
        fetch_pool "m/micropython/micropython_${trixie_version}_i386.deb" "$trixie_sha" &&
        fetch_pool libf/libffi/libffi8_3.4.8-2_i386.deb 8bafefb38c320ca27796070c881595ce04d900c3b534ac142a494daf1fe1db13 &&
        fetch_pool m/mbedtls/libmbedcrypto16_3.6.6-0.1~deb13u1_i386.deb aa4698ed436eebf77e3dc9f5c514073bd554109d857d887db5a367dde9a5c377 &&
        fetch_pool m/mbedtls/libmbedtls21_3.6.6-0.1~deb13u1_i386.deb eb1b20154ce9008aca1d036698ffc12019020a54985d2c5ae3dc1c1c39c9e995 &&
        fetch_pool m/mbedtls/libmbedx509-7_3.6.6-0.1~deb13u1_i386.deb fe6ba192c9227d30a4cd05a3bdeccdf9ff30d55b27d8ff488126c16dcf727cce && unpack
}

route_path() { # a micropython of the machine itself
    found=$(command -v micropython) || return 1
    "$found" -c 'import sys; sys.exit(sys.implementation.version < (1, 25, 0))' || return 1
    rm -rf "$folder/micropython"
    ln -s "$found" "$folder/micropython"
}

unpack() { # from $folder/debs: unpack all, and write the launcher that uses the package's own loader and libraries
    for deb in *.deb; do dpkg -x "$deb" "$folder/root" || return 1; done
    cd "$folder" || return 1
    loader=$(find root -name 'ld-linux*.so.2' | sort | head -n 1)
    library_path=$(find root -type d -name '*-linux-gnu' -path '*/lib/*' | sort | sed 's#^#$d/#' | paste -s -d :)
    # shellcheck disable=SC2016  # $0, $PWD and $d are the launcher's own
    printf '#!/bin/sh\ncase $0 in /*) d=${0%%/*} ;; *) d=$PWD/${0%%/*} ;; esac\nexec "$d/%s" --library-path "%s" "$d/%s" "$@"\n' \
        "$loader" "$library_path" root/usr/bin/micropython >micropython
    chmod +x micropython
}

starts() { # does it really run, and has it the file system that the terminal's log lives on?
    "$folder/micropython" -c 'import vfs, sys, asyncio; print(sys.version); vfs.VfsLfs2' 2>&1
}

try_route() ( # in a subshell: a failed command or a changed folder ends with it
    case $1 in
        index) route_index trixie "$trixie_version" "$trixie_sha" ;;
        forky) route_index forky "$forky_version" "$forky_sha" ;;
        pool) route_pool ;;
        path) route_path ;;
    esac
)

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
mirror=
if command -v apt-get >/dev/null 2>&1; then mirror=$(debian_mirror) || true; fi
[ -n "$mirror" ] || say "no Debian mirror in this machine's apt configuration / 本机 apt 未配置 Debian 源"
log="$folder/setup.log"
: >"$log"
for route in $routes; do
    [ "$route" = path ] || [ -n "$mirror" ] || continue
    say "$vm: MicroPython, route '$route' ..."
    if try_route "$route" >>"$log" 2>&1 && version=$(starts); then
        say "$vm: MicroPython $version (route: $route)"
        rm -rf "$folder/apt" "$folder/debs"
        exit 0
    fi
    printf '%s\n' "${version:-}" >>"$log"
    rm -f "$folder/micropython"
done
tail -n 8 "$log" >&2
[ "$vm" = vm64 ] || say "a kernel without 32-bit support (CONFIG_IA32_EMULATION) cannot start it / 内核须支持 32 位程序"
die "$vm: no MicroPython could be made; the whole log: $log" "$vm: 无法获得 MicroPython，完整日志: $log"
