"""The door of API v1: faults, token, scope and limit before a call; webhooks after its answer."""

from collections.abc import Awaitable, Callable

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from oo_app.sandbox.faults import Faults
from oo_app.sandbox.todoist_errors import forbidden, unauthorized
from oo_app.sandbox.todoist_grants import Grant, Grants
from oo_app.sandbox.todoist_limits import Kind, Limits
from oo_app.sandbox.todoist_store import Account, Store
from oo_app.sandbox.todoist_webhooks import Webhooks

Call = Callable[[Request, Account], Awaitable[Response]]
SyncCall = Callable[[Request, Account, Grant], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Door:
    """Lets calls in that carry a living token with the scope they need."""

    def __init__(self, store: Store, grants: Grants, *, limits: Limits, faults: Faults, webhooks: Webhooks) -> None:
        """Guard these accounts."""
        self.store = store
        self._grants = grants
        self._limits = limits
        self._faults = faults
        self._webhooks = webhooks

    def needs(self, scope: str, call: Call) -> Endpoint:
        """Return an endpoint for a REST call that needs a scope."""

        async def endpoint(request: Request) -> Response:
            grant = await self._admit(request)
            if not grant.allows(scope):
                raise forbidden(scope)
            self.count(grant, "rest")
            account = self.store.account(grant.account)
            return self.announcing(account, await call(request, account))

        return endpoint

    def sync(self, call: SyncCall) -> Endpoint:
        """Return an endpoint that judges scopes and limits itself."""

        async def endpoint(request: Request) -> Response:
            grant = await self._admit(request)
            account = self.store.account(grant.account)
            return self.announcing(account, await call(request, account, grant))

        return endpoint

    def count(self, grant: Grant, kind: Kind) -> None:
        """Count a call against the account's limits."""
        self._limits.count(grant.account, kind)

    def announcing(self, account: Account, response: Response) -> Response:
        """Let the webhooks tell what changed once the answer is out."""
        response.background = BackgroundTask(self._webhooks.tell, account, account.take_news())
        return response

    async def _admit(self, request: Request) -> Grant:
        await self._faults.meet(request.url.path)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        grant = self._grants.holder(token) if scheme.lower() == "bearer" else None
        if grant is None:
            raise unauthorized()
        return grant
