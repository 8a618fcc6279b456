"""Amazon SNS topics: what the ARN of one says about where its messages are signed.

Host and certificate follow from the topic that the operator configured and from nothing in a message. A pattern over
hosts, as many libraries have it, also fits names that AWS gives to its customers, such as that of an S3 bucket `sns`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured

# FIFO topics, whose names end in `.fifo`, do not deliver over HTTP.
_ARN: Final = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov|aws-eusc):sns:(?P<region>[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}):"
    r"[0-9]{12}:[A-Za-z0-9_-]{1,256}"
)
_DOMAINS: Final = {
    "aws": "amazonaws.com",
    "aws-us-gov": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-eusc": "amazonaws.eu",
}
_FILE: Final = re.compile(r"/[A-Za-z0-9][A-Za-z0-9_-]{0,127}\.pem")
_QUERY: Final = re.compile(r"/\?[A-Za-z0-9%&*+,./:;=@_~-]{1,2000}")


@dataclass(frozen=True, slots=True)
class Topic:
    """A standard topic.

    Attributes:
        host: where certificates are published and subscriptions confirmed: the region's own endpoint.
        signers: the names that the certificate of this region may have. Regions that existed before 2019 share one;
            later ones have their own; China and GovCloud spell it differently (AWS SDK for Java 2, `SnsHostProvider`).

    Raises:
        Misconfigured: it is no ARN of a standard topic.
    """

    arn: str
    host: str = field(init=False)
    signers: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        found = _ARN.fullmatch(self.arn)
        if found is None:
            raise Misconfigured(
                Code.CONFIG_INVALID,
                "sns: a topic is written arn:aws:sns:REGION:ACCOUNT:NAME; FIFO topics do not deliver over HTTP",
            )
        region, domain = found["region"], _DOMAINS[found["partition"]]
        signers = {f"sns.{domain}", f"sns-{region}.{domain}", f"sns-signing.{region}.{domain}"}
        if found["partition"] == "aws-us-gov":
            # Both regions of GovCloud sign with the certificate of the western one.
            signers.add(f"sns-us-gov-west-1.{domain}")
        object.__setattr__(self, "host", f"sns.{region}.{domain}")
        object.__setattr__(self, "signers", frozenset(signers))

    def may_publish(self, url: str) -> bool:
        """Say whether a certificate's address is a plain file at the host, over https."""
        return self._at_host(_FILE, url)

    def may_confirm(self, url: str) -> bool:
        """Say whether an address is a query to the host, over https."""
        return self._at_host(_QUERY, url)

    def _at_host(self, rest: re.Pattern[str], url: str) -> bool:
        # Compared as text, from the first character on: parsers of URLs disagree about odd ones.
        root = f"https://{self.host}"
        return url.startswith(root) and rest.fullmatch(url, len(root)) is not None
