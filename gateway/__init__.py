"""The gateway: takes frames in, verifies, keeps and forwards readings. Started by `wattline gateway run`."""
