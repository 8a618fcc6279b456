"""Whatever a source sends, mapping gives a complete, clean and repeatable answer."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.mapping.apply import apply_rules
from connector.mapping.normalise import STEPS
from connector.mapping.reasons import HoldReason, Reason
from connector.mapping.rules import Rule, RuleSet, TargetRule, compile_rules, kind_key
from connector.model import Identity
from connector.private import Private
from connector.states import IdentityState

HASHES = [name for name, step in STEPS.items() if step.hashes]
CLEANING = [name for name, step in STEPS.items() if not step.hashes]
KINDS = ["email", "Phone", "Loyalty ID", "Name"]

# Any text at all, lone surrogates included, and text that is close to what the rules expect.
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
LIKELY = st.sampled_from(["ann@example.com", "+49 30 23125 100", "030 23125100", "null", "0", "AB-12", ""])
WRAPS = st.sampled_from(["", " ", '"', "'", "\u200b", "\ufeff", "\u00a0", "\n", "\u201c", "\x00", "\u3164"])
VALUES = ANY_TEXT | st.builds("{1}{0}{2}".format, LIKELY, WRAPS, WRAPS) | st.builds("{0}{1}{0}".format, LIKELY, WRAPS)

TARGETS = st.builds(
    TargetRule,
    table=st.just("user"),
    field=st.sampled_from(["a", "b", "c"]),
    steps=st.builds(
        lambda cleaning, hashing: (*cleaning, *hashing),
        st.lists(st.sampled_from(CLEANING), max_size=5),
        st.lists(st.sampled_from(HASHES), max_size=1),
    ),
    optional=st.booleans(),
    max_bytes=st.sampled_from([10, 64, 256]),
    pattern=st.sampled_from([None, None, r"\+?\d+", r"[a-z@.]+"]),
)
RULE_SETS = st.builds(
    lambda per_kind, required: compile_rules(
        [Rule((kind,), tuple(targets), required) for kind, targets in per_kind.items()],
        [kind for kind in ("Name",) if kind not in per_kind],
        "DE",
    ),
    st.dictionaries(st.sampled_from(KINDS), st.lists(TARGETS, min_size=1, max_size=3), max_size=3),
    st.booleans(),
)
IDENTITIES = st.lists(
    st.builds(Identity, st.sampled_from([*KINDS, "loyalty_id", "other"]) | ANY_TEXT, st.builds(Private, VALUES)),
    max_size=5,
)


@settings(deadline=None, max_examples=150)
@given(rules=RULE_SETS, identities=IDENTITIES)
def test_the_totals_agree_and_the_result_says_why(rules: RuleSet, identities: list[Identity]) -> None:
    result = apply_rules(rules, identities)
    assert len(result.mapped) == len(identities)
    states = (IdentityState.MAPPED, IdentityState.UNMAPPED, IdentityState.REJECTED)
    assert sum(result.count(one) for one in states) == len(identities)
    for one in result.mapped:
        assert bool(one.targets) == (one.state is IdentityState.MAPPED) == (one.reason == "")
        assert one.reason == "" or one.reason in set(Reason)
        assert one.holds == (one.state is IdentityState.REJECTED or one.reason == "no_rule")
    assert result.hold_reason == "" or result.hold_reason in set(HoldReason)
    if any(one.holds for one in result.mapped) or not result.count(IdentityState.MAPPED):
        assert result.hold_reason
    assert apply_rules(rules, identities) == result


@settings(deadline=None, max_examples=150)
@given(rules=RULE_SETS, identities=IDENTITIES)
def test_every_value_to_be_sent_is_clean(rules: RuleSet, identities: list[Identity]) -> None:
    result = apply_rules(rules, identities)
    for identity, mapped in zip(identities, result.mapped, strict=True):
        for target in mapped.targets:
            value = target.value.reveal()
            limits = [
                one.max_bytes for one in rules.by_kind[kind_key(identity.kind)].targets if one.field == target.field
            ]
            assert 0 < len(value.encode()) <= max(limits)
            assert value == value.strip(" \"'`\u201c\u201d\u2018\u2019\u201e«»")
            assert value.casefold() not in {"null", "none", "0", "-"}
            assert not {unicodedata.category(one) for one in value} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
            assert all(one == " " for one in value if unicodedata.category(one) == "Zs")


@settings(deadline=None, max_examples=100)
@given(identities=IDENTITIES, rules=RULE_SETS)
def test_an_identity_s_result_does_not_depend_on_its_company(rules: RuleSet, identities: list[Identity]) -> None:
    together = apply_rules(rules, identities).mapped
    alone = tuple(apply_rules(rules, [one]).mapped[0] for one in identities)
    assert together == alone


@settings(deadline=None, max_examples=200)
@given(kind=ANY_TEXT)
def test_a_kind_s_key_is_stable(kind: str) -> None:
    assert kind_key(kind_key(kind)) == kind_key(kind)
    assert kind_key(f" {kind}_-") == kind_key(kind)
