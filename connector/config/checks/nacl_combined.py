"""The check of the Data Rights Protocol's signed messages, as it is written in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from connector.config.checks.base import CheckSection, HeaderSecrets, KeysOrSecrets
from connector.config.section import Section
from connector.ports import Documents
from connector.private import Secret
from connector.verify.nacl_combined import MAX_LIFETIME_S, MAX_TOLERANCE_S, Agent, NaclCombined


class AgentSection(Section):
    """One authorized agent."""

    id: str = Field(min_length=1, description="The agent's id in the service directory.", examples=["AGENT_ONE"])
    tokens: HeaderSecrets
    keys: KeysOrSecrets

    def agent(self) -> Agent:
        return Agent(self.id, self.tokens, self.keys)


class NaclCombinedCheck(CheckSection):
    """A message signed in libsodium's combined mode by a known agent, with that agent's bearer token."""

    check: Literal["nacl-combined"] = Field(
        description="The kind of check: a bearer token, and a message signed as the Data Rights Protocol has it."
    )
    business_ids: tuple[str, ...] = Field(
        min_length=1,
        description="Your ids in the service directory; a message for another business is refused.",
        examples=[["EXAMPLE_BUSINESS"]],
    )
    agents: tuple[AgentSection, ...] = Field(min_length=1, description="The agents that are accepted.")
    max_lifetime_s: int = Field(
        600, ge=1, le=MAX_LIFETIME_S, description="How long, in seconds, a message may be valid."
    )
    tolerance_s: int = Field(
        30,
        ge=0,
        le=MAX_TOLERANCE_S,
        description="How far, in seconds, the agent's clock may be ahead; 0 is the letter of the protocol.",
    )

    @property
    def headers(self) -> tuple[str, ...]:
        return ("Authorization",)

    @property
    def media_types(self) -> frozenset[str]:
        return frozenset({"text/plain"})

    @property
    def live_secrets(self) -> Iterator[Secret]:
        for agent in self.agents:
            yield from (*agent.tokens, *agent.keys)

    def verifier(self, documents: Documents) -> NaclCombined:  # noqa: ARG002 - the same call for every check
        return NaclCombined(
            tuple(one.agent() for one in self.agents),
            frozenset(self.business_ids),
            self.max_lifetime_s,
            self.tolerance_s,
        )
