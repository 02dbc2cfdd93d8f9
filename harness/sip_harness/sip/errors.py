"""The one exception that bad SIP raises."""


class SipError(ValueError):
    """Bytes or text from outside that are not what SIP asks for. The message says what and where."""
