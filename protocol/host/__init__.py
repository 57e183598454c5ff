"""What gateway, bench and the technician's tool share on a computer; no part of it is in a terminal's image."""
