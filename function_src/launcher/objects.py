"""Objects of Cloud Storage: what an event tells of one, and which ones tools make for their own ends. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .mapping.fitting import show

LONGEST_NAME = 1024  # bytes, and so letters at most (docs: storage/docs/objects)
SURROGATE = re.compile("[\ud800-\udfff]")
# Where a notification without a payload names its object. Source: storage/docs/pubsub-notifications.
IN_ATTRIBUTES = {"bucket": "bucketId", "name": "objectId", "generation": "objectGeneration"}
FOLDERS, UPLOADS, TEMPORARY = "folders", "uploads", "temporary"
# What each kind of them is called, as one reads in a reason.
IN_WORDS = {
    FOLDERS: "it is a folder's placeholder",
    UPLOADS: "it is a piece of an upload that is put together later",
    TEMPORARY: "it is a file that a tool is still writing, or makes for itself",
}
# By name. Sources: gcloud's storage/parallel_composite_upload_component_prefix, gsutil's cp (PARALLEL_UPLOAD_TEMP),
# google-cloud-storage for Java (PartNamingStrategy) and gcsfuse (--temp-object-prefix) for the pieces; Hadoop's
# FileOutputCommitter (_temporary) and shell (._COPYING_), Databricks' DBIO (_started_, _committed_), Spark
# (.spark-staging), Hive (.hive-staging), Beam (.temp-beam-) and Flink (.inprogress) for what is temporary.
NAMES = {
    FOLDERS: re.compile(r"(/|_\$folder\$)\Z"),
    UPLOADS: re.compile(
        r"(\A|/)tmp/parallel_composite_uploads/|(\A|/)\.gcsfuse_tmp/|;[\w=+-]*;\d+-\d+\.part\Z", re.ASCII
    ),
    TEMPORARY: re.compile(
        r"(\A|/)(_temporary(-\w+)?/|\.?temp-beam-|\.spark-staging|\.hive-staging|\.staging[-/]|\.inprogress/"
        r"|_(started|committed)_\d+\Z)|(\.tmp|\._COPYING_)\Z",
        re.ASCII,
    ),
}


class NoObjectError(ValueError):
    """What should tell of an object does not."""


def read_resource(resource: Any) -> dict[str, Any]:
    """What expressions see of an object resource of the JSON API. Numbers arrive as numbers or as strings.

    Raises:
        NoObjectError: bucket, name or generation are none.
    """
    if not isinstance(resource, Mapping):
        raise NoObjectError("the delivery names no Cloud Storage object")
    bucket, name, generation = (resource.get(key) for key in ("bucket", "name", "generation"))
    if not (_is_name(bucket) and _is_name(name)):
        raise NoObjectError("the delivery names no Cloud Storage object: bucket or name is missing or too long")
    if not _is_count(generation):
        raise NoObjectError(f"the object's generation is {show(generation)}; expected a number")
    folder, _, last = str(name).rpartition("/")
    metageneration, metadata = resource.get("metageneration"), resource.get("metadata")
    return {
        "uri": f"gs://{bucket}/{name}",
        "bucket": bucket,
        "name": name,
        "folder": folder,
        "stem": last[: last.rfind(".")] if last.rfind(".") > 0 else last,
        "generation": str(generation),
        "metageneration": str(metageneration) if _is_count(metageneration) else None,
        "size": int(size) if _is_count(size := resource.get("size")) and size is not None else None,
        "content_type": resource.get("contentType"),
        "storage_class": resource.get("storageClass"),
        "md5_hash": resource.get("md5Hash"),
        "crc32c": resource.get("crc32c"),
        "time_created": str(resource.get("timeCreated") or ""),
        "metadata": metadata if isinstance(metadata, dict) else {},
    }


def made_by_a_tool(found: Mapping[str, Any], include: frozenset[str]) -> str | None:
    """Why nobody means an object to be an event, in words; None if somebody may, or its kind is to be included.

    Only an empty object is a folder's placeholder: another has something that would be lost.
    """
    kinds = (kind for kind, pattern in NAMES.items() if kind not in include and pattern.search(found["name"]))
    return next((IN_WORDS[kind] for kind in kinds if kind != FOLDERS or found["size"] == 0), None)


def asked_for(prefix: str, glob: str | None) -> frozenset[str]:
    """The kinds that a prefix or a glob of a trigger names itself: whoever writes `**/*.tmp` means such files.

    A prefix ends in a slash like a folder, so of placeholders only the glob can tell.
    """
    return frozenset(
        kind
        for kind, pattern in NAMES.items()
        if (kind != FOLDERS and pattern.search(prefix)) or (glob and pattern.search(glob))
    )


def _is_name(value: object) -> bool:
    """Whether the value is text that UTF-8 can carry. JSON can spell half a character, and nothing is called so."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and not SURROGATE.search(value)


def _is_count(value: object) -> bool:
    """Whether the value is a 64-bit count, as a number or in digits."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text.isascii() and text.isdigit() and len(text) < 20
