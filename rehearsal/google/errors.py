"""What Google's own APIs have in common: how a request says whose it is, and how they word an error."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class StorageError(Exception):
    """A refusal, with the HTTP status and the reason word that the JSON API gives it."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


class ConditionNotMetError(StorageError):
    """A precondition failed. ``unchanged`` when it was a NotMatch one: a read answers that with 304, not 412."""

    def __init__(self, *, unchanged: bool) -> None:
        super().__init__(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
        self.unchanged = unchanged


def invalid(message: str) -> StorageError:
    """The request is wrong in itself."""
    return StorageError(400, "invalid", message)


def not_found(message: str) -> StorageError:
    """What the request names is not there."""
    return StorageError(404, "notFound", message)


# Why an object cannot be read, in the words of docs: storage/docs/json_api/v1/status-codes, and of reports.
REFUSALS = {
    "requester pays": StorageError(
        400, "required", "Bucket is a requester pays bucket but no user project provided."
    ),
    "key of a customer": StorageError(
        400,
        "resourceIsEncryptedWithCustomerEncryptionKey",
        "The target object is encrypted by a customer-supplied encryption key.",
    ),
    "key denied": StorageError(
        403,
        "forbidden",
        "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been "
        "authorized to use this key.",
    ),
    "key disabled": StorageError(
        400, "invalid", "Cloud KMS key is disabled, destroyed, or scheduled to be destroyed."
    ),
    "no access": StorageError(
        403,
        "forbidden",
        "launcher@acme-ml-dev.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud "
        "Storage object. Permission 'storage.objects.get' denied on resource (or it may not exist).",
    ),
    "perimeter": StorageError(
        403,
        "forbidden",
        "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: Zx8-2b_Q",
    ),
    "billing off": StorageError(
        403, "accountDisabled", "The billing account for the owning project is disabled in state absent"
    ),
}


def bearer(request: Request) -> str:
    """The token that a request brings along, empty if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def google_error(status: int, message: str) -> Response:
    """An error of a Google API."""
    return JSONResponse({"error": {"code": status, "message": message, "status": STATUSES[status]}}, status)
