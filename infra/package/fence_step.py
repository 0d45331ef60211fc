"""The fence of a run: lets one workflow of an event pass, and ends every other.

It creates the object that it is given, only if absent, saying which workflow this is. A workflow that finds its own
name there passes too: this is a retry, or an answer was lost. It runs in a pod, with the standard library alone.
"""

import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

# Argo calls a pod WORKFLOW-TEMPLATE-NUMBER, and KFP has templates of these names; an older Argo leaves it out.
TEMPLATE_AND_NUMBER = re.compile(r"(-(metadata-[0-9]+-[0-9]+-)?(retry-)?system-container-impl)?-[0-9]+$")
STORAGE = "https://storage.googleapis.com"
WAITS = (1, 2, 4, 8, 16)  # seconds, before a request is made again
TIMEOUT = 30
CREATED, TAKEN = 200, 412
UNFENCED = "none"


def main() -> None:
    """Passes or fails, and says why."""
    place = sys.argv[1]
    if place == UNFENCED:
        print("no fence: whoever started this run asked for none")
        return
    workflow = TEMPLATE_AND_NUMBER.sub("", os.environ["KFP_POD_NAME"])
    bucket, _, name = place.removeprefix("gs://").partition("/")
    holder = hold(bucket, name, workflow)
    if holder != workflow:
        sys.exit(f"duplicate of {holder}: this event's work is that workflow's, as {place} says; nothing runs here")
    print(f"{workflow} is the workflow of this event, as {place} says")


def hold(bucket: str, name: str, workflow: str) -> str:
    """Whose the event is: this workflow's, unless another was there before."""
    waits = list(WAITS)
    while True:
        try:
            return attempt(bucket, name, workflow)
        except (OSError, http.client.HTTPException, ValueError) as error:  # of sockets and HTTP, and odd answers
            if not waits:
                sys.exit(f"cannot tell whether this workflow is a duplicate: {explain(error)}; retry the run")
            print(f"again in {waits[0]} s: {explain(error)}", flush=True)
            time.sleep(waits.pop(0))


def attempt(bucket: str, name: str, workflow: str) -> str:
    """Creates the object or reads the one that is there."""
    query = urllib.parse.urlencode({"uploadType": "media", "name": name, "ifGenerationMatch": "0"})
    try:
        storage(f"/upload/storage/v1/b/{bucket}/o?{query}", workflow.encode())
    except urllib.error.HTTPError as error:
        if error.code != TAKEN:
            raise
        return storage(f"/storage/v1/b/{bucket}/o/{urllib.parse.quote(name, safe='')}?alt=media").decode()
    return workflow


def storage(path: str, body: bytes | None = None) -> bytes:
    """One request to Cloud Storage: POST with a body, GET without."""
    host = os.environ.get("STORAGE_EMULATOR_HOST", STORAGE)
    if host != STORAGE and urllib.parse.urlsplit(host).hostname not in ("localhost", "127.0.0.1", "::1"):
        sys.exit(f"STORAGE_EMULATOR_HOST is {host}, which is not on this machine; unset it")
    headers = {"Authorization": f"Bearer {token()}", "Content-Type": "text/plain"}
    request = urllib.request.Request(host + path, body, headers)  # noqa: S310 neither is a user's
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
        return bytes(answer.read())


def token() -> str:
    """The access token of the pod's account, from the metadata server: never through a proxy."""
    host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
    url = f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token"
    request = urllib.request.Request(url, headers={"Metadata-Flavor": "Google"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=TIMEOUT) as answer:
        return str(json.load(answer)["access_token"])


def explain(error: Exception) -> str:
    """What went wrong and, where it is known, what would mend it."""
    if isinstance(error, urllib.error.HTTPError):
        fix = " (target.runner must be the account that this pod runs as)" if error.code in (401, 403) else ""
        return f"{urllib.parse.urlsplit(error.url).hostname} answered {error.code}{fix}"
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
