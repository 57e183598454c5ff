#!/bin/sh
# nats.sh FOLDER   Make FOLDER/nats-server, 2.10 or newer: the machine's own, or Debian 13's package, unpacked into FOLDER.
# Debian 12 has 2.9, which knows no `sync_interval: always`; the newer binary runs there. Nothing is installed or started.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
folder=$1

new_enough() { # PROGRAM
    case $("$1" --version 2>/dev/null) in
        *v2.1[0-9].* | *v2.[2-9][0-9].* | *v[3-9].*) return 0 ;;
        *) return 1 ;;
    esac
}

fetch() { # through apt, with lists and status of its own: Debian's signatures are checked
    mirror=$(debian_mirror) || true
    [ -n "$mirror" ] || die "no Debian mirror in this machine's apt configuration" "本机 apt 未配置 Debian 源"
    private_apt "$folder" "$mirror" trixie "$(dpkg --print-architecture)" &&
        cd "$folder/debs" && apt-get -q download nats-server && dpkg -x nats-server_*.deb "$folder/root"
}

rm -rf "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
own=$(command -v nats-server || true)
if [ -n "$own" ] && new_enough "$own"; then
    ln -s "$own" "$folder/nats-server"
else
    (fetch) >"$folder/setup.log" 2>&1 || { tail -n 8 "$folder/setup.log" >&2; die "no nats-server could be had" "无法获得 nats-server"; }
    ln -s root/usr/sbin/nats-server "$folder/nats-server"
    [ -x "$folder/nats-server" ] || ln -sf root/usr/bin/nats-server "$folder/nats-server"
    rm -rf "$folder/apt" "$folder/debs"
fi
new_enough "$folder/nats-server" || die "nats-server 2.10 is needed" "需要 nats-server 2.10"
say "message store: $("$folder/nats-server" --version)"
