"""A board's root file system on the VM: LittleFS on a flash of its own, as boards have it, in a file of the host's.

The host's files stay to be reached below /host: the data's flash and the ptys are there.
"""

import os
import sys

import vfs
from boards.unix import FileFlash


def mount(path: str) -> None:
    """Mount it as /, formatted if it is not; what is imported from here on comes from it."""
    flash = FileFlash(path)
    try:
        root = vfs.VfsLfs2(flash)
    except OSError:
        vfs.VfsLfs2.mkfs(flash)
        root = vfs.VfsLfs2(flash)
    host = vfs.VfsPosix("/")
    vfs.umount("/")
    vfs.mount(root, "/")
    vfs.mount(host, "/host")
    os.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]
    for name in [one for one in sys.modules if one.split(".")[0] == "boards"]:
        del sys.modules[name]
