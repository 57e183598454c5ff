#!/bin/sh
# mosquitto.sh FOLDER   Make FOLDER/mosquitto, an executable broker: the machine's own, or Debian's package.
# As root the package is installed (no service is started); otherwise it is unpacked into FOLDER, which needs
# no privilege. The bench starts its own broker, with its own configuration, on a port of its own.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
folder=$1
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin   # Debian puts the broker into /usr/sbin, not on a user's PATH

unpack_privately() {
    say "no root: unpacking mosquitto into $folder / 无 root 权限，解包到私有目录"
    unpack_debs "$folder" mosquitto
    lib=$(cd "$folder/root" && find . -name 'libcjson.so*' | head -n 1)
    # shellcheck disable=SC2016  # $0, $PWD and $d are the launcher's own
    printf '#!/bin/sh\ncase $0 in /*) d=${0%%/*} ;; *) d=$PWD/${0%%/*} ;; esac\nLD_LIBRARY_PATH="$d/root/%s" exec "$d/root/usr/sbin/mosquitto" "$@"\n' \
        "${lib%/*}" >"$folder/mosquitto"
    chmod +x "$folder/mosquitto"
}

rm -rf "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if ! command -v mosquitto >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    "$here/apt_install.sh" mosquitto
fi
if command -v mosquitto >/dev/null 2>&1; then
    ln -s "$(command -v mosquitto)" "$folder/mosquitto"
else
    unpack_privately
fi
version=$("$folder/mosquitto" -h | head -n 1) || true   # -h ends with status 3
case $version in
    "mosquitto version 2"*) say "broker: $version" ;;
    *) die "mosquitto 2 is needed, this is: $version" "需要 mosquitto 2" ;;
esac
