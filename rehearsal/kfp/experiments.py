"""Experiments at the KFP endpoint. A name is taken once in its namespace, by what the database holds for the same."""

from __future__ import annotations

import uuid
from functools import partial

from kfp_server_api import V2beta1Experiment
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.kfp.database import Database, collated
from rehearsal.kfp.lists import EXPERIMENT_KEYS, page
from rehearsal.kfp.requests import (
    ALREADY_EXISTS,
    INTERNAL,
    INVALID_ARGUMENT,
    NOT_FOUND,
    ApiError,
    Fields,
    answer,
    present,
    read_body,
)
from rehearsal.kfp.runs import NEVER, now

EXPERIMENTS = "/apis/v2beta1/experiments"
DEFAULT = "Default"
LONGEST_NAME = 128
NO_NAMESPACE = "{} cannot have an empty namespace in multi-user mode"
NOT_CONVERTED = "InternalServerError: Failed to convert API experiment to model experiment: Invalid input error"


class Experiments:
    """The table of experiments and the routes to it. An installation of one user has no namespaces."""

    def __init__(self, database: Database, multi_user: bool) -> None:
        self._database, self._multi_user = database, multi_user
        self.rows: dict[str, Fields] = {}
        one = f"{EXPERIMENTS}/{{experiment_id}}"
        self.routes = [
            Route(EXPERIMENTS, self._create, methods=["POST"]),
            Route(EXPERIMENTS, self._list, methods=["GET"]),
            Route(f"{one}:archive", partial(self._store, "ARCHIVED"), methods=["POST"]),
            Route(f"{one}:unarchive", partial(self._store, "AVAILABLE"), methods=["POST"]),
            Route(one, self._get, methods=["GET"]),
            Route(one, self._delete, methods=["DELETE"]),
        ]

    def find(self, experiment_id: str) -> Fields:
        """The experiment of an id.

        Raises:
            ApiError: there is none.
        """
        if experiment_id not in self.rows:
            raise ApiError(NOT_FOUND, f"ResourceNotFoundError: Experiment {experiment_id} not found.")
        return self.rows[experiment_id]

    def of_run(self, run: Fields) -> Fields:
        """The experiment of a run that is to be created: without one it goes into the default of a single user."""
        if experiment_id := run.get("experiment_id"):
            return self.find(experiment_id)
        if self._multi_user:
            raise ApiError(INVALID_ARGUMENT, NO_NAMESPACE.format("A run"))
        return self._named(DEFAULT, "") or self._add(DEFAULT, "", "")

    def namespace(self, query: str, whose: str) -> str:
        """The namespace that a list is asked for.

        Raises:
            ApiError: there are several users, and none is named.
        """
        if self._multi_user and not query:
            raise ApiError(INVALID_ARGUMENT, NO_NAMESPACE.format(whose))
        return query if self._multi_user else ""

    async def _create(self, request: Request) -> Response:
        body = await read_body(request, V2beta1Experiment)
        name, description = body.get("display_name", ""), body.get("description", "")
        if not name:
            raise ApiError(INTERNAL, f"{NOT_CONVERTED}: Experiment must have a non-empty name")
        if len(name) > LONGEST_NAME:
            raise ApiError(INTERNAL, f"{NOT_CONVERTED}: Experiment.Name length cannot exceed {LONGEST_NAME}")
        namespace = self.namespace(body.get("namespace", ""), "An experiment")
        if self._named(name, namespace):
            raise ApiError(ALREADY_EXISTS, f"Failed to create a new experiment. The name {name} already exists.")
        self._database.insert(f"experiment {name}", {"Name": name, "Description": description})
        return answer(self._add(name, description, namespace))

    async def _list(self, request: Request) -> Response:
        namespace = self.namespace(request.query_params.get("namespace", ""), "An experiment")
        rows = [row for row in self.rows.values() if row["namespace"] == namespace]
        found, total, token = page(rows, request.query_params, EXPERIMENT_KEYS, "experiment_id")
        return answer({"experiments": [*map(present, found)], "total_size": total, "next_page_token": token})

    async def _get(self, request: Request) -> Response:
        return answer(self.find(request.path_params["experiment_id"]))

    async def _store(self, storage_state: str, request: Request) -> Response:
        self.find(request.path_params["experiment_id"])["storage_state"] = storage_state
        return answer({})

    async def _delete(self, request: Request) -> Response:
        del self.rows[self.find(request.path_params["experiment_id"])["experiment_id"]]
        return answer({})

    def _named(self, name: str, namespace: str) -> Fields | None:
        wanted = collated(name), namespace
        return next(
            (row for row in self.rows.values() if (collated(row["display_name"]), row["namespace"]) == wanted), None
        )

    def _add(self, name: str, description: str, namespace: str) -> Fields:
        experiment_id = str(uuid.uuid4())
        self.rows[experiment_id] = {
            "experiment_id": experiment_id,
            "display_name": name,
            "description": description,
            "namespace": namespace,
            "created_at": now(),
            "last_run_created_at": NEVER,
            "storage_state": "AVAILABLE",
        }
        return self.rows[experiment_id]
