"""Prepares the storage that a URL names, with the rights of whoever administers it."""

from indelible.core.open import make_engine
from indelible.engines.engine import InitReport, ManagedStorage
from indelible.errors import InvalidRequest


async def init_store(
    url: str, *, runtime_role: str | None = None, password: str | None = None, post_deploy: bool = False
) -> InitReport:
    """Make the storage, or bring its schema to the newest version. Raises what opening it raises, and
    :class:`InvalidRequest` for roles and deploy steps of a storage that has none."""
    engine = make_engine(url)
    if isinstance(engine, ManagedStorage):
        return await engine.init(runtime_role=runtime_role, password=password, post_deploy=post_deploy)
    if runtime_role is not None:
        raise InvalidRequest("this kind of store has no roles", pointer="/runtime_role")
    if post_deploy:
        raise InvalidRequest("this kind of store has no post-deploy steps", pointer="/post_deploy")
    await engine.open()
    await engine.close()
    return InitReport(())
