"""Which scenarios a text may come from: their own symptoms, compared with what it says. Pure.

A sign that few scenarios have says more than one that many have. What a scenario shares with the text counts, and a
symptom of it counts once more, by how much of that symptom stands in the text.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tlslab.symptoms.reading import Reading, read
from tlslab.symptoms.vocabulary import NEVER_CONNECTED, Weight, weight

WORD, NAME = "word ", "name "
MOST = 5  # so many are shown
FAR_BEHIND = 0.45  # of the best one's score: what has less is not shown
WORD_WEIGHT = 1.5
PHASES = ("handshake", "upload")  # where something failed
ELSEWHERE = 0.7  # of the score stays where the text speaks of a phase and the scenario does not
WORD_FOR_WORD = 0.75  # of the words and signs of a symptom: whoever says as many means it
# So many words and circumstances describe a scenario without a failure: "large POST with client certificates".
ENOUGH_TOKENS, ENOUGH_CIRCUMSTANCES = 3, 3
ENOUGH_RARITY = 2.0  # of the words in such a description: 1 for one that only one scenario has, 0 for what all have


@dataclass(frozen=True, slots=True)
class Found:
    """A scenario, how well it fits (in no unit), the pieces of the text that say so, and its symptom that fits best."""

    name: str
    score: float
    by: tuple[str, ...]
    symptom: str


@dataclass(frozen=True, slots=True)
class _Fit:
    """How much of a symptom was said: by weight, and whether it is nearly all."""

    symptom: str
    tokens: tuple[str, ...]
    score: float
    complete: bool


class Index:
    """The symptoms of scenarios by name, read once."""

    def __init__(self, symptoms: Mapping[str, Sequence[str]]) -> None:
        self._symptoms = {name: [(text, _tokens(read(text))) for text in texts] for name, texts in symptoms.items()}
        self._has: dict[str, set[str]] = {
            name: {token for _, tokens in entries for token in tokens} for name, entries in self._symptoms.items()
        }
        self._spread = Counter(token for tokens in self._has.values() for token in tokens)

    def rank(self, text: str) -> list[Found]:
        """Find the scenarios a text may come from, the likeliest first, at most `MOST`."""
        return best(self.scored(read(text)))

    def scored(self, reading: Reading) -> Iterable[Found]:
        """Score every scenario that has something of what was read."""
        if reading.signs.keys() & NEVER_CONNECTED:
            return
        said = {**reading.words, **reading.names, **reading.signs}
        strange = any(weight(sign) is Weight.FAILURE and sign not in self._spread for sign in reading.signs)
        for name in self._symptoms:
            if found := self._score(name, said, strange):
                yield found

    def _score(self, name: str, said: Mapping[str, str], strange: bool) -> Found | None:
        known = [token for token in said if token in self._has[name]]
        shared = [token for token in known if not token.startswith(WORD)]
        described = len(known) >= ENOUGH_TOKENS and sum(map(self._rarity, known)) >= ENOUGH_RARITY
        fit = max((self._fit(*entry, said) for entry in self._symptoms[name]), key=lambda one: one.score)
        if not _says_enough(shared, fit.complete, described, strange):
            return None
        score = sum(map(self._value, shared)) + fit.score
        score *= ELSEWHERE ** sum(phase in said and phase not in self._has[name] for phase in PHASES)
        tokens = sorted({*shared, *fit.tokens}, key=self._value, reverse=True)
        pieces = [said[token] for token in tokens if self._value(token) > 0]
        return Found(name, round(score, 2), _longest(pieces), fit.symptom)

    def _fit(self, symptom: str, tokens: frozenset[str], said: Mapping[str, str]) -> _Fit:
        inside = sorted(token for token in tokens if token in said)
        matched, whole = sum(map(self._value, inside)), sum(map(self._value, tokens))
        complete = len(inside) >= max(WORD_FOR_WORD * len(tokens), ENOUGH_TOKENS)
        return _Fit(symptom, tuple(inside), matched * matched / whole if whole else 0.0, complete)

    def _rarity(self, token: str) -> float:
        """1 for what one scenario has, and nearly 0 for what all have."""
        return 1 - math.log(self._spread.get(token, 1)) / math.log(len(self._symptoms) + 1)

    def _value(self, token: str) -> float:
        rarity = self._rarity(token)
        if token.startswith(WORD):
            return WORD_WEIGHT * max(0.0, 2 * rarity - 1)
        return (weight(token) if not _is_class(token) else Weight.CIRCUMSTANCE) * (0.4 + rarity)


AnyFound = TypeVar("AnyFound", bound=Found)


def best(found: Iterable[AnyFound]) -> list[AnyFound]:
    """The best ones, the likeliest first."""
    ranked = sorted(found, key=lambda one: -one.score)
    return [one for one in ranked if one.score >= FAR_BEHIND * ranked[0].score][:MOST]


def _says_enough(shared: Sequence[str], complete: bool, described: bool, strange: bool) -> bool:
    """Whether what a scenario has in common with a text is more than chance.

    `complete`: a symptom was said nearly word for word. `described`: several of its rarer words were. `strange`: the
    text speaks of a failure that no scenario has, so only one that this scenario has counts.
    """
    if complete or any(weight(token) is Weight.FAILURE for token in shared if not token.startswith(NAME)):
        return True
    named = any(token.startswith(NAME) and not _is_class(token) for token in shared)
    vague = any(weight(token) is Weight.VAGUE for token in shared)
    return not strange and (named or vague or described or len(shared) >= ENOUGH_CIRCUMSTANCES)


def _longest(pieces: Sequence[str]) -> tuple[str, ...]:
    """The pieces in their order, without those that stand inside another."""
    unique = list(dict.fromkeys(pieces))
    return tuple(one for one in unique if not any(one != other and one in other for other in unique))


def _is_class(token: str) -> bool:
    """Whether it is the name of an exception, which many different faults share."""
    return token.startswith(NAME) and token.endswith(("error", "exception", "failure", "warn"))


def _tokens(reading: Reading) -> frozenset[str]:
    return frozenset({*reading.signs, *reading.names, *reading.words})
