"""Put back what may not have changed in git's configuration, and leave every other byte as it is.

A configuration is a text of its user's: comments, order and blanks count. So entries are cut out of it and put into it
where they stood; what comes out is read again, and only used if it says what it has to.
"""

from aisbx_linux.protect.gitconfig import parse, pieces, serialise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from aisbx_linux.protect.gitconfig import Entry, Piece

    May = Callable[[str, str | None], bool]
    Edit = tuple[int, int, bytes]

_BOM = b"\xef\xbb\xbf"


def reconcile(before: "bytes | None", data: "bytes | None", may: "May") -> "tuple[bytes, list[str]] | None":
    """Give what a configuration is to be and the names that have to be put back for it; None if it may stay.

    `before` and `data` are its contents at the start and now, None where it was not there or can't be read. Entries
    that `may` be written are as they are now, the others as they were.
    """
    if data is not None and data == before:
        return None
    was = pieces(before) or [] if before else []
    now = pieces(data) if data is not None else None
    if now is None or data is None:
        return before or b"", []
    kept = [entry for entry in _entries(was) if not may(*entry)]
    added = [entry for entry in _entries(now) if not may(*entry)]
    if added == kept:
        return None
    left = [entry for entry in _entries(now) if may(*entry)]
    text = _Mend(before or b"", was, data, now).text(may)
    # A text that was made to be hard to mend loses its layout, never an entry.
    if not _says(text, kept, left, may):
        text = serialise(kept + left)
    if not _says(text, kept, left, may):
        text = before or b""
    return text, sorted({name for (name, _), count in _balance(added, kept).items() if count})


def _balance(added: "list[Entry]", kept: "list[Entry]") -> "dict[Entry, int]":
    """Count how many more of each entry there are in one list than in the other."""
    counts: dict[Entry, int] = {}
    for entries, step in ((added, 1), (kept, -1)):
        for entry in entries:
            counts[entry] = counts.get(entry, 0) + step
    return counts


def _entries(found: "list[Piece]") -> "list[Entry]":
    return [(name, value) for _, _, _, name, value in found if name is not None]


def _says(text: bytes, kept: "list[Entry]", left: "list[Entry]", may: "May") -> bool:
    entries = parse(text)
    return (
        entries is not None
        and [entry for entry in entries if not may(*entry)] == kept
        and [entry for entry in entries if may(*entry)] == left
    )


class _Mend:
    """One text to be mended: `was` and `now` are the pieces of `before` and `data`."""

    def __init__(self, before: bytes, was: "list[Piece]", data: bytes, now: "list[Piece]") -> None:
        self.before = before
        self.was = was
        self.data = data
        self.now = now
        self.same: dict[int, int] = {}
        """Pieces that are still there: index in `was` → index in `now`."""
        self.gone: dict[int, tuple[int, int]] = {}
        """Pieces of `now` that are cut out: index → (start, end) of the cut."""

    def text(self, may: "May") -> bytes:
        """Give `data` with the entries that may not be written as they were; for the caller to check."""
        self._match()
        self._order(may)
        self._cut(may)
        edits = [(start, end, b"") for start, end in self.gone.values()] + self._back(may)
        done: list[bytes] = []
        at = 0
        for start, end, new in sorted(edits, key=lambda edit: edit[:2]):  # stable: what is put at one place keeps order
            done += (self.data[at:start], new)
            at = max(at, end)
        return b"".join((*done, self.data[at:]))

    def _back(self, may: "May") -> "list[Edit]":
        """Give the edits that put back what is missing: over another value of it if that keeps the order."""
        changed: dict[str, list[int]] = {}
        for index in sorted(self.gone, reverse=True):
            changed.setdefault(self.now[index][3] or "", []).append(index)
        kept = [index for index, piece in enumerate(self.was) if piece[3] is not None and not may(piece[3], piece[4])]
        limits: list[int] = []
        limit = len(self.now)
        for index in reversed(kept):
            limits.append(limit)
            limit = self.same.get(index, limit)
        edits: list[Edit] = []
        opened: set[int] = set()
        last = -1
        for index, limit in zip(kept, reversed(limits), strict=True):
            others = changed.get(self.was[index][3] or "")
            if index in self.same:
                last = self.same[index]
            elif others and last < others[-1] < limit:
                last = others.pop()
                edits.append(self._over(index, last))
            else:
                edits.append(self._put(index, opened))
        return edits

    def _match(self) -> None:
        """Find the pieces that are still there, each once and in order; a head by an entry below it, if it has one."""
        waiting: dict[tuple[str, str | None, str | None], list[int]] = {}
        for index in range(len(self.was) - 1, -1, -1):
            waiting.setdefault(self.was[index][2:], []).append(index)
        heads = _heads(self.was)
        found: dict[int, int] = {}
        for index, head in enumerate(_heads(self.now)):
            match = waiting.get(self.now[index][2:]) if index != head else None
            if match:
                self.same[match[-1]] = index
                found.setdefault(heads[match.pop()], head)
        taken: set[int] = set()
        for head, other in found.items():
            if head >= 0 and other >= 0 and other not in taken and self.was[head][2] == self.now[other][2]:
                self.same[head] = other
                taken.add(other)
        for index, piece in enumerate(self.now):
            match = waiting.get(piece[2:]) if piece[3] is None and index not in taken else None
            while match:
                head = match.pop()
                if head not in self.same:
                    self.same[head] = index
                    break

    def _order(self, may: "May") -> None:
        """Take those that were moved before others for new: the last of two that differ counts."""
        last = -1
        for _, other in sorted((index, other) for other, index in self.same.items()):
            _, _, _, name, value = self.was[other]
            if name is None or may(name, value):
                continue
            if other < last:
                del self.same[other]
            last = max(last, other)

    def _cut(self, may: "May") -> None:
        """Find what is to be cut out: entries, and the heads of new sections that none is left of."""
        known = set(self.same.values())
        left: set[int] = set()
        for index, head in enumerate(_heads(self.now)):
            start, end, _, name, value = self.now[index]
            if name is None:
                continue
            if index in known or may(name, value):
                left.add(head)
                continue
            line = _line(self.data, start)
            if line < 0:  # behind a head: the line's end stays
                line, end = start, start + len(self.data[start:end].rstrip(b"\r\n"))
            self.gone[index] = line, end
        for index in [index for index in self.gone if self.now[index - 1 : index] and self.now[index - 1][3] is None]:
            if index - 1 not in known and index - 1 not in left:
                self._cut_head(index - 1)

    def _cut_head(self, index: int) -> None:
        start, end = self.now[index][:2]
        line = _line(self.data, start)
        feed = self.data.find(b"\n", end) + 1 or len(self.data)
        if line >= 0 and self.now[index + 1][0] < feed:  # its first entry stands on its line
            self.gone[index] = line, self.now[index + 1][1]
        elif line >= 0 and not self.data[end:feed].strip():
            self.gone[index] = line, feed
        else:
            self.gone[index] = start, end

    def _over(self, index: int, other: int) -> "Edit":
        """Give the edit that puts an entry of `was` where another value of it is cut out."""
        start, end = self.gone[other]
        if self.data[end - 1 : end] == b"\n" or start == _line(self.data, start):
            return start, start, self._lines(index)
        return start, start, self.before[slice(*self.was[index][:2])].rstrip(b"\r\n")

    def _lines(self, index: int) -> bytes:
        """Give an entry of `was` as lines of their own."""
        start, end = self.was[index][:2]
        line = _line(self.before, start)
        new = self.before[line:end] if line >= 0 else b"\t" + self.before[start:end]
        return new if new.endswith(b"\n") else new + b"\n"

    def _put(self, index: int, opened: "set[int]") -> "Edit":
        """Give the edit that puts an entry of `was` back, behind what it stood behind; `opened`: heads put back."""
        new = self._lines(index)
        at = index - 1
        while at >= 0 and at not in self.same and self.was[at][3] is not None:
            at -= 1
        if at in self.same:
            return self._behind(self.same[at], new)
        if at >= 0 and at not in opened:
            opened.add(at)
            new = self.before[slice(*self.was[at][:2])] + b"\n" + new
        while at >= 0 and at not in self.same:
            at -= 1
        if at < 0:
            place = len(_BOM) if self.data.startswith(_BOM) else 0
            return place, place, new
        last = self.same[at]
        for other in range(last + 1, len(self.now)):
            if self.now[other][3] is None:
                break
            last = last if other in self.gone else other
        return self._behind(last, new)

    def _behind(self, index: int, new: bytes) -> "Edit":
        """Give the edit that puts lines behind a piece of `now`."""
        data = self.data
        _, end, _, name, _ = self.now[index]
        if name is None:
            feed = data.find(b"\n", end) + 1 or len(data)
            rest = data[end:feed].strip()
            if rest and rest[:1] not in (b"#", b";"):
                return end, end, b"\n" + new  # an entry stands on the head's line
            end = feed
        return end, end, new if data[end - 1 : end] == b"\n" else b"\n" + new


def _heads(found: "list[Piece]") -> "list[int]":
    """Give for each piece the index of its section's head, for a head its own; -1 before the first."""
    heads: list[int] = []
    head = -1
    for index, piece in enumerate(found):
        head = index if piece[3] is None else head
        heads.append(head)
    return heads


def _line(data: bytes, at: int) -> int:
    """Give where the line of an offset begins, or -1 if there is more than blanks before it."""
    start = data.rfind(b"\n", 0, at) + 1
    before = data[start:at]
    if start == 0 and before.startswith(_BOM):
        start, before = len(_BOM), before[len(_BOM) :]
    return -1 if before.strip() else start
