"""What can go wrong with a delivery."""

from kijko.core.errors import Invalid, Unauthenticated


class InvalidSignature(Unauthenticated):
    """The signature does not fit the body and this repository's secret. Enter the secret at the git provider again."""

    code = "INVALID_SIGNATURE"


class UnreadableDelivery(Invalid):
    """The body is no JSON object, nor a form with one in its field payload."""

    code = "MALFORMED_JSON"
