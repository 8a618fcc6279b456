"""The mapping rules of one source, checked as a whole when the configuration is loaded.

What has an identity's kind in `kinds` goes to the rule's targets; each target says which field of which Lytics table
holds the value and by which steps it gets the form in which Lytics stores it.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Final

import phonenumbers

from connector.codes import Code
from connector.errors import Misconfigured
from connector.mapping.normalise import STEPS

DEFAULT_JUNK: Final = frozenset({"", "null", "none", "undefined", "nan", "0", "n/a", "na", "unknown", "-"})
# Lytics' platform limit for one identifier.
DEFAULT_MAX_BYTES: Final = 256
_HIGHEST_MAX_BYTES: Final = 1024

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_NOT_IN_A_KIND: Final = re.compile(r"[\s_-]+")
# Part of the digest: raised when the same rules would give other results, so that held requests are mapped again.
_EDITION: Final = 1

Problem = tuple[str, str]


@dataclass(frozen=True, slots=True)
class TargetRule:
    """One field of one Lytics table that holds the value.

    Attributes:
        steps: names from `normalise.STEPS`, in order.
        optional: whether an unusable value only skips this target while another target is left.
        max_bytes: of the value sent, in UTF-8.
        junk: words that stand for "no value", compared casefolded, before the steps and after them (before a hash).
        pattern: regular expression that the whole value has to match, after the steps and before a hash.
    """

    table: str
    field: str
    steps: tuple[str, ...]
    optional: bool = False
    max_bytes: int = DEFAULT_MAX_BYTES
    junk: frozenset[str] = DEFAULT_JUNK
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of identities of these kinds.

    Attributes:
        kinds: the source's labels for one kind of identity; compared by `kind_key`.
        required: whether a request without such an identity is held.
    """

    kinds: tuple[str, ...]
    targets: tuple[TargetRule, ...]
    required: bool = False


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Checked rules, ready for use. Made by `compile_rules` only.

    Attributes:
        by_kind: rule by `kind_key`.
        ignored: `kind_key` of the kinds that may pass unmapped.
        patterns: the compiled form of every pattern.
        digest: 64 hex digits that change whenever the rules could give another result.
    """

    rules: tuple[Rule, ...]
    ignore_kinds: tuple[str, ...]
    default_region: str | None
    by_kind: Mapping[str, Rule]
    ignored: frozenset[str]
    patterns: Mapping[str, re.Pattern[str]]
    digest: str


def kind_key(kind: str) -> str:
    """Return the form in which kinds are compared: NFKC, casefolded, without whitespace, `_` and `-`."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", kind).casefold())
    # Once more: an accent that stood on a space now stands on a letter.
    return unicodedata.normalize("NFKC", _NOT_IN_A_KIND.sub("", folded))


def compile_rules(
    rules: Sequence[Rule], ignore_kinds: Iterable[str] = (), default_region: str | None = None
) -> RuleSet:
    """Check the rules and make them ready for use.

    Raises:
        Misconfigured: `CONFIG_INVALID` with every problem, each with its path.
    """
    ignore_kinds = tuple(ignore_kinds)
    found = problems(rules, ignore_kinds, default_region)
    if found:
        raise Misconfigured(Code.CONFIG_INVALID, "; ".join(f"{path}: {message}" for path, message in found))
    ready = tuple(replace(rule, targets=tuple(_fold_junk(target) for target in rule.targets)) for rule in rules)
    return RuleSet(
        rules=ready,
        ignore_kinds=ignore_kinds,
        default_region=default_region,
        by_kind=MappingProxyType({kind_key(kind): rule for rule in ready for kind in rule.kinds}),
        ignored=frozenset(kind_key(kind) for kind in ignore_kinds),
        patterns=MappingProxyType(
            {one.pattern: re.compile(one.pattern) for rule in ready for one in rule.targets if one.pattern is not None}
        ),
        digest=_digest(ready, ignore_kinds, default_region),
    )


def problems(
    rules: Sequence[Rule], ignore_kinds: Iterable[str] = (), default_region: str | None = None
) -> list[Problem]:
    """Return everything that is wrong, as (path below the source's table, message). Never raises for a bad rule."""
    return [
        *_region_problems(rules, default_region),
        *_kind_problems(rules, tuple(ignore_kinds)),
        *(
            (f"mapping[{number}].targets[{place}]{path}", message)
            for number, rule in enumerate(rules)
            for place, target in enumerate(rule.targets)
            for path, message in _target_problems(target)
        ),
    ]


def _region_problems(rules: Sequence[Rule], region: str | None) -> Iterator[Problem]:
    if region is None:
        named = {step for rule in rules for target in rule.targets for step in target.steps}
        for step in sorted(name for name in named if name in STEPS and STEPS[name].needs_region):
            yield "default_region", f"the step {step!r} needs a region for numbers without a country code, e.g. 'DE'"
    elif region not in phonenumbers.SUPPORTED_REGIONS:
        yield "default_region", f"{region!r} is not a two-letter country code in capitals, e.g. 'DE'"


def _kind_problems(rules: Sequence[Rule], ignore_kinds: Sequence[str]) -> Iterator[Problem]:
    owner: dict[str, int] = {}
    for number, rule in enumerate(rules):
        if not rule.kinds:
            yield f"mapping[{number}].kinds", "names no kind"
        if not rule.targets:
            yield f"mapping[{number}].targets", "names no target"
        for place, kind in enumerate(rule.kinds):
            path, key = f"mapping[{number}].kinds[{place}]", kind_key(kind)
            if not key:
                yield path, f"{kind!r} has nothing left once spaces, '_' and '-' are taken out"
            elif owner.setdefault(key, number) != number:
                yield (
                    path,
                    f"{kind!r} belongs to mapping[{owner[key]}] already; upper case, spaces, '_' and '-' do not count",
                )
    for place, kind in enumerate(ignore_kinds):
        path, key = f"ignore_kinds[{place}]", kind_key(kind)
        if not key:
            yield path, f"{kind!r} has nothing left once spaces, '_' and '-' are taken out"
        elif key in owner:
            yield path, f"{kind!r} is mapped by mapping[{owner[key]}] and cannot be ignored"


def _target_problems(target: TargetRule) -> Iterator[Problem]:
    for name in ("table", "field"):
        if not _NAME.fullmatch(getattr(target, name)):
            yield f".{name}", "must be a letter or '_' and then at most 63 letters, digits or '_'"
    for place, step in enumerate(target.steps):
        if step not in STEPS:
            yield f".steps[{place}]", f"{step!r} is not a step; known: {', '.join(STEPS)}"
        elif STEPS[step].hashes and place + 1 < len(target.steps):
            yield f".steps[{place + 1}]", f"nothing can follow the hash {step!r}"
    if not 1 <= target.max_bytes <= _HIGHEST_MAX_BYTES:
        yield ".max_bytes", f"must be 1 to {_HIGHEST_MAX_BYTES}"
    if target.pattern is not None:
        try:
            re.compile(target.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            yield ".pattern", f"is not a regular expression: {error}"


def _fold_junk(target: TargetRule) -> TargetRule:
    return replace(target, junk=frozenset(word.casefold() for word in target.junk))


def _digest(rules: Sequence[Rule], ignore_kinds: Sequence[str], region: str | None) -> str:
    # `default` gives sets an order.
    content = {
        "edition": _EDITION,
        "rules": [asdict(rule) for rule in rules],
        "ignored": sorted({kind_key(kind) for kind in ignore_kinds}),
        "region": region,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=sorted).encode()).hexdigest()
