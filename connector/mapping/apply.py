"""Apply a source's rules to one request's identities. Pure; every identity ends mapped, unmapped or rejected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connector.mapping.characters import QUOTES, has_hidden, is_control, trim_edges
from connector.mapping.normalise import STEPS, Context
from connector.mapping.reasons import HoldReason, Reason, Unusable
from connector.mapping.rules import Rule, RuleSet, TargetRule, kind_key
from connector.model import Identity, Mapped, MappingResult, Target
from connector.private import Private
from connector.states import IdentityState

# Of the value as it came, in characters: bounds the work of every step and pattern.
MAX_RAW_LENGTH: Final = 2048


def apply_rules(rules: RuleSet, identities: Sequence[Identity]) -> MappingResult:
    """Map identities to targets, in order, and say whether the request may go on."""
    mapped = tuple(_map_one(rules, one) for one in identities)
    return MappingResult(mapped, _hold_reason(rules, identities, mapped))


def _map_one(rules: RuleSet, identity: Identity) -> Mapped:
    key = kind_key(identity.kind)
    rule = rules.by_kind.get(key)
    if rule is not None:
        return _map_by(rule, rules, identity.value)
    if key in rules.ignored:
        return Mapped(IdentityState.UNMAPPED, reason=Reason.IGNORED.value)
    return Mapped(IdentityState.UNMAPPED, reason=Reason.NO_RULE.value, holds=True)


def _map_by(rule: Rule, rules: RuleSet, value: Private) -> Mapped:
    targets: dict[Target, None] = {}
    skipped: Reason | None = None
    for target in rule.targets:
        try:
            targets[Target(target.table, target.field, _form(target, rules, value))] = None
        except Unusable as unusable:
            if not target.optional:
                return Mapped(IdentityState.REJECTED, reason=unusable.reason.value, holds=True)
            skipped = skipped or unusable.reason
    if skipped is not None and not targets:
        return Mapped(IdentityState.REJECTED, reason=skipped.value, holds=True)
    return Mapped(IdentityState.MAPPED, tuple(targets))


def _form(target: TargetRule, rules: RuleSet, raw: Private) -> Private:
    """Bring a value into the form that Lytics stores, or raise `Unusable`.

    All checks look at the value before it is hashed: the hash of "null" or of a value with a stray character is as
    clean as any other, and names the wrong person or nobody.
    """
    value, context = raw.reveal(), Context(rules.default_region)
    if len(value) > MAX_RAW_LENGTH:
        raise Unusable(Reason.TOO_LONG)
    _refuse_control(trim_edges(value))
    _refuse_junk(trim_edges(value), target)
    hashes = [step for step in target.steps if STEPS[step].hashes]
    for step in target.steps[: len(target.steps) - len(hashes)]:
        value = STEPS[step].run(value, context)
    _refuse_unclean(value, target)
    if not hashes:
        _refuse_long(value, target)
    if target.pattern is not None and not rules.patterns[target.pattern].fullmatch(value):
        raise Unusable(Reason.PATTERN)
    for step in hashes:
        value = STEPS[step].run(value, context)
        _refuse_long(value, target)
    return Private(value)


def _refuse_control(value: str) -> None:
    # Before the steps: `digits_only` and `e164` would join what a line feed keeps apart, and half a surrogate pair has
    # no UTF-8 form.
    if any(map(is_control, value)):
        raise Unusable(Reason.CONTROL_CHARACTERS)


def _refuse_junk(value: str, target: TargetRule) -> None:
    if not value:
        raise Unusable(Reason.EMPTY)
    if value.casefold() in target.junk:
        raise Unusable(Reason.JUNK)


def _refuse_unclean(value: str, target: TargetRule) -> None:
    _refuse_junk(value, target)
    if has_hidden(value):
        raise Unusable(Reason.CONTROL_CHARACTERS)
    if not QUOTES.isdisjoint((value[0], value[-1])) or " " in (value[0], value[-1]):
        raise Unusable(Reason.UNCLEAN_EDGES)


def _refuse_long(value: str, target: TargetRule) -> None:
    if len(value.encode()) > target.max_bytes:
        raise Unusable(Reason.TOO_LONG)


def _hold_reason(rules: RuleSet, identities: Sequence[Identity], mapped: Sequence[Mapped]) -> str:
    holding = {one.state for one in mapped if one.holds}
    if IdentityState.UNMAPPED in holding:
        return HoldReason.UNMAPPED_IDENTITY.value
    if IdentityState.REJECTED in holding:
        return HoldReason.REJECTED_IDENTITY.value
    present = {
        kind_key(identity.kind)
        for identity, one in zip(identities, mapped, strict=True)
        if one.state is IdentityState.MAPPED
    }
    if any(rule.required and present.isdisjoint(map(kind_key, rule.kinds)) for rule in rules.rules):
        return HoldReason.REQUIRED_IDENTITY_MISSING.value
    return "" if present else HoldReason.NOTHING_MAPPED.value
