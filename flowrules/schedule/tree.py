"""Finds the first node that has enough of two things free: a tree of maxima over nodes in their order."""

from __future__ import annotations


class MaxTree:
    """Two numbers for each index, at first 0.

    Attributes:
        looks: how many places of the tree were ever visited; what a growth test counts.
    """

    def __init__(self, count: int) -> None:
        size = 1
        while size < count:
            size *= 2
        self._size = size
        self._first = [0] * (2 * size)
        self._second = [0] * (2 * size)
        self.looks = 0

    def set(self, index: int, first: int, second: int) -> None:
        """Change the numbers of an index. Ends where nothing changes further up."""
        one, two = self._first, self._second
        at = index + self._size
        one[at], two[at] = first, second
        while at > 1:
            self.looks += 1
            left = at & ~1
            at >>= 1
            first = one[left] if one[left] > one[left + 1] else one[left + 1]
            second = two[left] if two[left] > two[left + 1] else two[left + 1]
            if one[at] == first and two[at] == second:
                return
            one[at], two[at] = first, second

    def next(self, start: int, first: int, second: int) -> int:
        """The least index from ``start`` on with at least these numbers, or -1."""
        size, one, two = self._size, self._first, self._second
        if start >= size:
            return -1
        at = start + size
        while True:
            self.looks += 1
            if one[at] >= first and two[at] >= second:
                if at >= size:
                    return at - size
                at *= 2
                continue
            while at & 1:  # a right child: all below its parent has been seen
                at >>= 1
            if not at:
                return -1
            at += 1
