"""The clocks of a runner: when it looks, beats, reads, syncs and ends."""

from __future__ import annotations

from flowrules.model.block import BlockSpec, usable

LOOK_SECONDS = 4.0
"""How old a look for a later incarnation may be when something is done outwards; the protocol allows 5."""

BEAT_SECONDS = 10.0
TICK_SECONDS = 1.0

QUICK_POLL, SLOW_POLL = 0.2, 1.0
FULL_DISK_SECONDS = 5.0


class Clocks:
    """Times are monotonic seconds.

    Args:
        begun: when the batch job began.

    Attributes:
        ends_at: when the block has to have ended its jobs.
        stuck_until: nothing is read, written or started before; 0 where all is well.
    """

    def __init__(self, spec: BlockSpec, begun: float) -> None:
        self.ends_at = begun + usable(spec.walltime)
        self.stuck_until = 0.0
        self._idle = spec.idle
        self._idle_since = begun
        self._poll_seconds = QUICK_POLL
        self._poll_at = 0.0
        self._last: dict[str, float] = {}

    def is_due(self, what: str, seconds: float, now: float) -> bool:
        """Whether something was not done for so long; then it counts as done now."""
        due = now - self._last.get(what, -seconds) >= seconds
        if due:
            self._last[what] = now
        return due

    def must_read(self, now: float) -> bool:
        """Whether it is time to read the inbox."""
        return now >= self._poll_at

    def has_read(self, now: float, *, found: bool) -> None:
        """The inbox was read: soon again where something was in it, else less and less often."""
        self._poll_seconds = QUICK_POLL if found else min(SLOW_POLL, self._poll_seconds * 1.5)
        self._poll_at = now + self._poll_seconds

    def works(self, now: float) -> None:
        """There is work."""
        self._idle_since = now

    def stuck(self, now: float) -> bool:
        """Files cannot be used: try again in a while. Whether that is new."""
        new = not self.stuck_until
        self.stuck_until = now + FULL_DISK_SECONDS
        return new

    def patience(self, now: float, *, busy: bool, reads: bool) -> float:
        """Seconds to wait at most for something to happen."""
        if now < self.stuck_until:
            return self.stuck_until - now
        soon = QUICK_POLL if busy else SLOW_POLL
        return max(0.0, min(soon, self._poll_at - now)) if reads else soon

    def reason_to_end(self, now: float) -> str:
        """Why the block has to end now, in words; "" where it has not."""
        if now >= self.ends_at:
            return "its walltime is over"
        return f"there was no work for {self._idle:g}s" if now - self._idle_since >= self._idle else ""
