#!/bin/sh
# certificates.sh FOLDER NAME...   An authority for the NATS servers alone, and a certificate with key for each server, by
# the name under which the others and the gateways reach it: FOLDER/ca.pem, FOLDER/NAME/{ca,server}.pem, server.key.
# 为各 NATS 服务器签发证书（专用根证书）；再次运行可为新名称补发，已有的不变。
# Each server gets its own folder and no other; gateways get ca.pem. ca.key admits servers to the cluster: keep it apart,
# offline. Let this authority vouch for nothing else: whoever has a certificate of it can be a server of the cluster.
set -eu
umask 077
days=3650
[ $# -ge 2 ] || { sed -n '2,6s/^# //p' "$0" >&2; exit 2; }
folder=$1
shift
mkdir -p "$folder"
cd "$folder"
new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
if [ ! -f ca.key ]; then
    new_key ca.key
    openssl req -x509 -key ca.key -days "$days" -subj "/CN=wattline NATS" -out ca.pem
fi
for name in "$@"; do
    [ ! -f "$name/server.pem" ] || continue
    mkdir -p "$name"
    new_key "$name/server.key"
    printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$name" >"$name/extensions"
    openssl req -new -key "$name/server.key" -subj "/CN=$name" |
        openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days "$days" -extfile "$name/extensions" -out "$name/server.pem"
    rm "$name/extensions"
    cp ca.pem "$name/ca.pem"
done
