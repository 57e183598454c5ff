"""mosquitto's configuration for a fleet: TLS, a certificate each, topics of one's own, bounds that fit. No I/O."""

from pathlib import Path

INFLIGHT_MIN, QUEUED_MIN = 1_000, 20_000  # of a small fleet; both cost nothing until they are used
FRAMES_WAITING = 4  # of each terminal, while the gateway is away: what it has in flight (docs/terminal.md)
MESSAGE_BYTES_MAX = 8_192  # a frame has 4,096, and its topic and properties
GATEWAY = "gateway"  # its name at the broker: who has it hears and answers everybody; no terminal's
ACL = f"""\
# Who may do what. A terminal (%u: the name in its certificate) sends as itself and hears its own acks alone;
# the gateway hears all and answers all. Everything else is refused.
user {GATEWAY}
topic read wattline/up/+
topic write wattline/down/+

pattern write wattline/up/%u
pattern read wattline/down/%u
"""


def configuration(terminals: int, folder: Path, port: int, gateway_port: int) -> str:
    """mosquitto.conf. folder: of ca.pem, server.pem, server.key, revoked.pem, wattline.acl and gateway.passwd."""
    queued = max(QUEUED_MIN, terminals * FRAMES_WAITING)
    return f"""\
# Made by `wattline gateway pki broker-config` for {terminals} terminals. TLS 双向证书；网关使用本机回环与口令。
per_listener_settings true
persistence true
autosave_interval 30
# What waits for a gateway that is away: {FRAMES_WAITING} frames of each terminal. Past it mosquitto drops, and says
# nothing; a terminal frees a record at the gateway's ack alone, and sends it again until then.
max_queued_messages {queued}
message_size_limit {MESSAGE_BYTES_MAX}
# Acks that the gateway may have under way at once; mosquitto's own 20 slow it down when all terminals report together.
max_inflight_messages {max(INFLIGHT_MIN, terminals // 4)}

# The gateway: mosquitto_passwd -c {folder}/gateway.passwd gateway
listener {gateway_port} 127.0.0.1
allow_anonymous false
password_file {folder}/gateway.passwd
acl_file {folder}/wattline.acl

# Terminals. After `pki revoke`: copy revoked.pem here, and send mosquitto SIGHUP.
listener {port}
cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.key
crlfile {folder}/revoked.pem
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {folder}/wattline.acl
"""
