"""Which cues stand in a text of folded words; a word cue is " cue ", the beginning of a word " stem"."""

from __future__ import annotations

from collections.abc import Iterable


class CueFinder:
    """Finds cues by the words that a text has, so that most of them are never looked for."""

    def __init__(self, cues: Iterable[str]) -> None:
        self._words: set[str] = set()
        self._stems: set[str] = set()
        self._longer: dict[str, list[str]] = {}  # by their first word
        self._odd: list[str] = []
        for cue in cues:
            first, _, rest = cue[1:].partition(" ")
            if not cue.startswith(" ") or not first:
                self._odd.append(cue)
            elif rest:
                self._longer.setdefault(first, []).append(cue)
            elif cue.endswith(" "):
                self._words.add(first)
            else:
                self._stems.add(first)
        self._sizes = sorted({len(stem) for stem in self._stems})

    def found(self, text: str) -> set[str]:
        """The cues that stand in the text."""
        said = set(text.split(" "))
        found = {f" {word} " for word in said & self._words}
        for word in said:
            for cue in self._longer.get(word, ()):
                if cue in text:
                    found.add(cue)
            for size in self._sizes:
                if size > len(word):
                    break
                if word[:size] in self._stems:
                    found.add(f" {word[:size]}")
        found.update(cue for cue in self._odd if cue in text)
        return found


class OnlyThese:
    """Tells texts that consist of some cues and nothing else."""

    def __init__(self, cues: Iterable[str]) -> None:
        self._stems: set[str] = set()  # of one word
        self._by_first: dict[str, list[tuple[list[str], bool]]] = {}  # words, and whether the last is a stem
        for cue in cues:
            words = cue.strip().split(" ")
            is_stem = not cue.endswith(" ")
            if is_stem and len(words) == 1:
                self._stems.add(words[0])
            else:
                self._by_first.setdefault(words[0], []).append((words, is_stem))
        self._sizes = sorted({len(stem) for stem in self._stems})

    def hold(self, text: str) -> bool:
        """Whether the words of the text can be divided into such cues."""
        words = text[1:-1].split(" ")
        if not text.strip(" "):
            return False
        open_places, seen = [0], {0}
        while open_places:
            at = open_places.pop()
            if at == len(words):
                return True
            for end in self._ends(words, at):
                if end not in seen:
                    seen.add(end)
                    open_places.append(end)
        return False

    def _ends(self, words: list[str], at: int) -> Iterable[int]:
        """Where a cue that begins at this word may end."""
        word = words[at]
        if any(word[:size] in self._stems for size in self._sizes if size <= len(word)):
            yield at + 1
        for said, is_stem in self._by_first.get(word, ()):
            end = at + len(said)
            if end > len(words):
                continue
            if is_stem:
                if words[at : end - 1] == said[:-1] and words[end - 1].startswith(said[-1]):
                    yield end
            elif words[at:end] == said:
                yield end
