"""Terminals with connections of their own, who wait for their acks; and somebody who floods them all."""
