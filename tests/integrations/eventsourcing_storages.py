"""The suites that ``eventsourcing`` ships, and what they are run on: an empty store for each test."""

import os
import sys
import tempfile
from unittest import TestCase
from unittest.mock import patch

import eventsourcing.cryptography
from eventsourcing.utils import Environment

from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.integrations.eventsourcing import IndelibleFactory
from serving import serving_in_a_thread

# The suites import the library's cipher on a package that is not here; it has the same on one that is.
sys.modules.setdefault("eventsourcing.cipher", eventsourcing.cryptography)

from eventsourcing.dcb import tests as dcb  # noqa: E402
from eventsourcing.tests import application, persistence, projection  # noqa: E402

__all__ = [
    "MODULE",
    "OnMemory",
    "OnSqlite",
    "OnStore",
    "OverGrpc",
    "OverHttp",
    "application",
    "dcb",
    "persistence",
    "projection",
]

MODULE = "indelible.integrations.eventsourcing"


class OnStore(TestCase):
    """Beside a suite: what it makes its recorders with, closed after each test."""

    def setUp(self) -> None:
        # A suite may ask for more.
        environ = {**getattr(super(), "env", {}), "PERSISTENCE_MODULE": MODULE, "INDELIBLE_URL": self.new_url()}
        # Applications of the suites take it from there.
        self.enterContext(patch.dict(os.environ, environ))
        self.env = Environment("Bank", environ)
        self.factory = IndelibleFactory(self.env)
        # Which is that of the suite's applications too; some suites forget to close these.
        self.addCleanup(self.factory._datastore.client.close)
        super().setUp()

    def new_url(self) -> str:
        raise NotImplementedError


class OnMemory(OnStore):
    def new_url(self) -> str:
        return "memory:"


class OnSqlite(OnStore):
    def new_url(self) -> str:
        return f"sqlite:{self.enterContext(tempfile.TemporaryDirectory())}/log.db"


class OverHttp(OnStore):
    def new_url(self) -> str:
        return self.enterContext(serving_in_a_thread(LocalEventStore(MemoryEngine())))


class OverGrpc(OnStore):
    def new_url(self) -> str:
        return self.enterContext(serving_in_a_thread(LocalEventStore(MemoryEngine()), "grpc"))
