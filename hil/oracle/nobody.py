"""What is under names that nobody of the scenario has, and what was refused though nobody forged: invented, both."""

from collections.abc import Collection, Iterator, Mapping

from hil.oracle.evidence import Finding


def check_nobody(frames: Mapping[str, int], uploads: Mapping[str, int]) -> Iterator[Finding]:
    """A finding for each name in the journal, and each station at a platform, that the scenario does not have.

    frames: by name, those that the journal keeps under it; uploads: by MN, what the platform took in.
    """
    for name, count in sorted(frames.items()):
        text = f"{count} frames of {name!r} are in the journal, and there is no such terminal"
        yield Finding(3, "frame_of_nobody", text, count=count)
    for mn, count in sorted(uploads.items()):
        text = f"{count} messages of the station {mn!r} are at the platform, and there is no such station"
        yield Finding(3, "upload_of_nobody", text, count=count)


def check_refused(quarantined: Mapping[str, int], allowed: Collection[str] | None) -> Iterator[Finding]:
    """A finding for each reason by which something was refused, though nobody has forged, altered or copied anything.

    allowed: the reasons that the scenario expects; None: somebody forges in it, so that any may be.
    """
    if allowed is None:
        return
    for reason, count in sorted(quarantined.items()):
        if reason not in allowed:
            text = f"{count} frames or records were refused ({reason}), and nobody has forged any"
            yield Finding(4, "refused_of_own", text, count=count)
