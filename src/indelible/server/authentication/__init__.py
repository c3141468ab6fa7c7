"""Who calls: credentials become principals, where access control is on."""

from indelible.server.authentication.authenticator import Authenticator

__all__ = ["Authenticator"]
