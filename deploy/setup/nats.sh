#!/bin/sh
# nats.sh FOLDER   Make FOLDER/nats-server, 2.10 or newer: the machine's own, or Debian 13's package, unpacked into FOLDER.
# Debian 12 has 2.9, which knows no `sync_interval: always`; the newer binary runs there. Nothing is installed or started.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
folder=$1
keys=/usr/share/keyrings/debian-archive-keyring.gpg

new_enough() { # PROGRAM
    case $("$1" --version 2>/dev/null) in
        *v2.1[0-9].* | *v2.[2-9][0-9].* | *v[3-9].*) return 0 ;;
        *) return 1 ;;
    esac
}

fetch() { # through apt, with lists and status of its own: Debian's signatures are checked
    mirror=$(debian_mirror) || true
    [ -n "$mirror" ] || die "no Debian mirror in this machine's apt configuration" "本机 apt 未配置 Debian 源"
    rm -rf "$folder/apt" "$folder/debs"
    mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$folder/apt/none" "$folder/debs"
    : >"$folder/apt/status"
    arch=$(dpkg --print-architecture)
    echo "deb [arch=$arch signed-by=$keys] $mirror trixie main" >"$folder/apt/sources.list"
    cat >"$folder/apt/apt.conf" <<CONF
APT::Architecture "$arch"; APT::Architectures { "$arch"; }; APT::Sandbox::User "root";
Acquire::Languages "none"; Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Dir::State::Lists "$folder/apt/lists"; Dir::State::status "$folder/apt/status"; Dir::Cache "$folder/apt/cache";
Dir::Etc::SourceList "$folder/apt/sources.list"; Dir::Etc::SourceParts "$folder/apt/none";
Dir::Etc::Preferences "$folder/apt/none/x"; Dir::Etc::PreferencesParts "$folder/apt/none";
CONF
    export APT_CONFIG="$folder/apt/apt.conf"
    apt-get -q update && cd "$folder/debs" && apt-get -q download nats-server && dpkg -x nats-server_*.deb "$folder/root"
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
