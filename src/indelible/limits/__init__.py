"""Every bound of the store, in one place, each with its reason.

Sizes are in bytes, times in seconds, unless the name says otherwise. A caller that goes over a bound gets an error
that names the field and the bound; nothing is stored. Those that depend on one another are checked against one another
when they are imported (:mod:`indelible.limit_relations`).

Each area has a module. All are imported from here, by whatever is outside of this package: ``from indelible.limits
import NAME``. The reference shows the areas in the order of the lines below.
"""

from indelible.limit_relations import check_together
from indelible.limits.events import *
from indelible.limits.appends import *
from indelible.limits.storage import *
from indelible.limits.reads import *
from indelible.limits.partitions import *
from indelible.limits.groups import *
from indelible.limits.relays import *
from indelible.limits.search import *
from indelible.limits.operating import *
from indelible.limits.access import *
from indelible.limits.schemas import *
from indelible.limits.server import *
from indelible.limits.grpc import *
from indelible.limits.esdb import *
from indelible.limits.clients import *

check_together(globals())
