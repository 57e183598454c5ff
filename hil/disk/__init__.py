"""A disk that loses at a power cut what was not synced, and that can fail: for the processes that the bench kills."""

from hil.disk.disk import Disk, shim

__all__ = ["Disk", "shim"]
