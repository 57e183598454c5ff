"""What an authority's folder has issued, where all of it can be read."""

from gateway.pki.folder import Folder, Known, PkiError


def all_known(place: Folder) -> list[Known]:
    """By name."""
    unread = list[PkiError]()
    found = list(place.known(unread.append))
    assert not unread
    return found
