#!/bin/sh
# apt_install.sh PACKAGE...   Install Debian packages without letting any of them start a service.
# Needs root or password-less sudo; says what to install by hand when there is neither.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
command -v apt-get >/dev/null 2>&1 || die \
    "apt-get is missing; please install by hand: $*" "本机没有 apt-get，请手动安装: $*"
as_root true || die \
    "root (or sudo) is needed; please run as root: apt-get install $*" \
    "需要 root 权限（或 sudo），请以 root 运行: apt-get install $*"
say "installing by apt / 正在用 apt 安装: $*"
# A package's own script would start its daemon (mosquitto's listens on 1883). policy-rc.d answering 101
# is Debian's way of saying "start nothing"; one that the machine already has is left as it is.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    trap 'as_root rm -f "$policy"' EXIT
    trap 'exit 1' INT TERM
fi
log=$(mktemp)
# Another apt may be at work on a fresh machine: wait two minutes for it, no longer.
quiet_apt() {
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1 || {
        tail -n 15 "$log" >&2
        die "apt-get $1 failed" "apt-get $1 失败"
    }
}
quiet_apt update
quiet_apt install --no-install-recommends "$@"
rm -f "$log"
