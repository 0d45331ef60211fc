"""Rules over resources: plain functions of a resource's type token and its inputs, by the provider's names.

They serve three times: in `pipeline-trigger verify`, in `pipeline-trigger iam diff`, and in the policy pack, which
lives in an environment of its own and may be copied alone. Hence they need nothing but Python, and the modules of
this room import each other by relative names.

A preview does not know everything. What a rule *demands* must stand there and be known, since a program can always
write it out. What a rule *forbids* is looked for in what is known: the address of a new account is unknown in every
first preview, so an unknown member passes there, and the engine asks the pack again during `pulumi up`, when the
member is known and the grant not yet made. A role on a whole project, though, must be known in the preview too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from .declarations import explaining_access
from .grantable import objection_to_permission, objection_to_role
from .resources import Properties, grant_kind, is_known, is_wide, kind_of, roles_of, texts_in, value_at

# The last three are the newer forms of the first three (iam/docs/roles-overview).
BASIC_ROLES = frozenset(f"roles/{name}" for name in ("owner", "editor", "viewer", "admin", "writer", "reader"))
IMPERSONATION = re.compile(
    r"roles/(iam\.(serviceAccountUser|serviceAccount\w*TokenCreator|workloadIdentityUser|\w*Admin)"
    r"|resourcemanager\.\w*Admin)"
)
# What is an account, or gives any right: a rule of its own says so, before it is asked whether it is listed.
IMPERSONATING_PERMISSION = re.compile(
    r"iam\.serviceAccounts\.(actAs|get\w+Token|implicitDelegation|sign\w+)|iam\.serviceAccountKeys\.create"
    r"|.*\.setIamPolicy"
)
STORAGE_ADMIN = re.compile(r"roles/storage\.(a|\w+A)dmin")
# As a member, after READER: in an access list, or inside a policy's JSON; and three lists that Storage has ready.
PUBLIC = re.compile(r'(^|[":])(allUsers|allAuthenticatedUsers)($|")', re.IGNORECASE)
PUBLIC_LISTS = frozenset({"publicRead", "publicReadWrite", "authenticatedRead"})
KEYS = frozenset({"serviceaccount/Key", "storage/HmacKey"})
DEFAULT_ACCOUNT = re.compile(r"[^@]+(-compute@developer|@appspot)\.gserviceaccount\.com")
# Where that which runs names its account; without one, it runs as a default account.
RUNS_AS = {
    "cloudfunctionsv2/Function": ("serviceConfig", "serviceAccountEmail"),
    "cloudfunctions/Function": ("serviceAccountEmail",),
    "cloudrunv2/Service": ("template", "serviceAccount"),
    "cloudrunv2/Job": ("template", "template", "serviceAccount"),
    "cloudrunv2/WorkerPool": ("template", "serviceAccount"),
    "cloudrun/Service": ("template", "spec", "serviceAccountName"),
}
# Where that which is called says from where, and what it must say.
INGRESS = {
    "cloudfunctionsv2/Function": (("serviceConfig", "ingressSettings"), "ALLOW_INTERNAL_ONLY"),
    "cloudfunctions/Function": (("ingressSettings",), "ALLOW_INTERNAL_ONLY"),
    "cloudrunv2/Service": (("ingress",), "INGRESS_TRAFFIC_INTERNAL_ONLY"),
    "cloudrun/Service": (("metadata", "annotations", "run.googleapis.com/ingress"), "internal"),
}


@dataclass(frozen=True)
class Rule:
    """What must hold, and why. ``check`` returns what is wrong with a resource and the fix, or None."""

    name: str
    description: str
    check: Callable[[str, Properties], str | None]
    production_only: bool = False


@dataclass(frozen=True)
class Violation:
    """A rule that a resource breaks: what is wrong, and the fix."""

    rule: str
    message: str


def violations(
    type_token: str, properties: Properties, *, production: bool, declared: Collection[str] = ()
) -> list[Violation]:
    """Every rule that a resource breaks.

    Args:
        type_token: as in ``gcp:storage/bucket:Bucket``. What is not Google Cloud's breaks no rule.
        properties: the inputs; unknown ones as the engine, a preview or the rehearsal writes them.
        production: whether the stack is marked so.
        declared: the kinds of ``access:`` that the stack's configuration declares. `declarations` reads both from it.
    """
    messages = {rule.name: complaint(rule, type_token, properties, production, declared) for rule in RULES}
    return [Violation(name, message) for name, message in messages.items() if message]


def complaint(
    rule: Rule, type_token: str, properties: Properties, production: bool, declared: Collection[str]
) -> str | None:
    """What is wrong with a resource by one rule, and the fix; None where that rule has nothing to say."""
    if rule.production_only and not production:
        return None
    if rule is NO_BASIC_ROLE and explaining_access(type_token, properties) in declared:
        return None
    return rule.check(type_token, properties)


def _no_basic_role(type_token: str, properties: Properties) -> str | None:
    for role in roles_of(type_token, properties):
        if str(role) in BASIC_ROLES:
            return (
                f"role {role} is a basic role; grant a predefined one on one resource, or, to enter a hosted "
                "endpoint, declare access: viewer in the trigger"
            )
        if is_wide(type_token) and not is_known(role):
            return (
                "the role on a whole project is not known before it is granted; write it out, "
                "a custom one as projects/PROJECT/roles/ID"
            )
    return None


def _no_public_member(type_token: str, properties: Properties) -> str | None:
    if not kind_of(type_token):
        return None
    public = [text for text in texts_in(properties) if PUBLIC.search(text)]
    if grant_kind(type_token) == "list":
        public += [
            text for key in ("predefinedAcl", "defaultAcl") if (text := str(properties.get(key))) in PUBLIC_LISTS
        ]
    return f"{public[0][:60]!r} lets everybody in; name the account that needs it" if public else None


def _no_authoritative_grant(type_token: str, _: Properties) -> str | None:
    match grant_kind(type_token):
        case "binding" | "policy" | "list":
            what = "sets the whole list, and removes the members that other people added"
        case "removal":
            what = "takes away what somebody else granted"
        case _:
            return None
    return f"{type_token.rsplit(':', 1)[-1]} {what}; add one member with an IAMMember resource"


def _no_impersonation(type_token: str, properties: Properties) -> str | None:
    if kind_of(type_token).endswith("/IAMCustomRole"):
        granted = texts_in(properties.get("permissions"))
        if found := next(filter(IMPERSONATING_PERMISSION.fullmatch, granted), None):
            return f"{found} in a custom role may be granted on a project; grant a predefined role on the one account"
    danger = "lets its holder become any account in there; grant it on the one service account"
    return _wide_role(type_token, properties, IMPERSONATION, danger)


def _no_storage_admin(type_token: str, properties: Properties) -> str | None:
    danger = "may delete what is in any of its buckets; grant it on the one bucket"
    return _wide_role(type_token, properties, STORAGE_ADMIN, danger)


def _nothing_unlisted(type_token: str, properties: Properties) -> str | None:
    """Silent where a rule that says more stops the same."""
    if kind_of(type_token).endswith("/IAMCustomRole"):
        granted = (p for p in texts_in(properties.get("permissions")) if is_known(p))
        unlisted = (objection_to_permission(p) for p in granted if not IMPERSONATING_PERMISSION.fullmatch(p))
        return next(filter(None, unlisted), None)
    if not is_wide(type_token):
        return None
    roles = [str(role) for role in roles_of(type_token, properties) if is_known(role)]
    said = (BASIC_ROLES.__contains__, IMPERSONATION.fullmatch, STORAGE_ADMIN.fullmatch)
    roles = [role for role in roles if not any(says(role) for says in said)]
    conditional = bool(properties.get("condition"))
    return next(filter(None, (objection_to_role(role, conditional=conditional) for role in roles)), None)


def _wide_role(type_token: str, properties: Properties, pattern: re.Pattern[str], danger: str) -> str | None:
    roles = roles_of(type_token, properties) if is_wide(type_token) else []
    return next((f"role {role} on a whole project {danger}" for role in roles if pattern.fullmatch(str(role))), None)


def _no_key(type_token: str, _: Properties) -> str | None:
    if kind_of(type_token) not in KEYS:
        return None
    return "a key works from anywhere and for anyone; attach the account, or use workload identity federation"


def _own_account(type_token: str, properties: Properties) -> str | None:
    if (path := RUNS_AS.get(kind_of(type_token))) is None:
        return None
    account, key = value_at(properties, *path), ".".join(path)
    if account in (None, ""):
        return (
            f"{key} is missing, so this runs as a default account; name an account of its own (identity: dedicated)"
        )
    if DEFAULT_ACCOUNT.fullmatch(str(account)):
        return f"{key} is {account}, a default account; name an account of its own (identity: dedicated)"
    return None


def _private_bucket(type_token: str, properties: Properties) -> str | None:
    if kind_of(type_token) != "storage/Bucket":
        return None
    for key, wanted in (("uniformBucketLevelAccess", True), ("publicAccessPrevention", "enforced")):
        if (found := properties.get(key)) != wanted:
            return f"{key} is {found!r}; set it to {wanted!r}"
    return None


def _dead_letters(type_token: str, properties: Properties) -> str | None:
    if kind_of(type_token) != "pubsub/Subscription" or not properties.get("pushConfig"):
        return None
    if value_at(properties, "deadLetterPolicy", "deadLetterTopic") and is_known(properties["deadLetterPolicy"]):
        return None
    return "deadLetterPolicy.deadLetterTopic is missing; name a topic that has a subscription of its own"


def _kept_subscription(type_token: str, properties: Properties) -> str | None:
    if kind_of(type_token) != "pubsub/Subscription" or value_at(properties, "expirationPolicy", "ttl") == "":
        return None
    return "expirationPolicy.ttl is not set to '', so idle days delete the subscription; set it to ''"


def _private_function(type_token: str, properties: Properties) -> str | None:
    if (demanded := INGRESS.get(kind_of(type_token))) is None:
        return None
    path, wanted = demanded
    if (found := value_at(properties, *path)) != wanted:
        return f"{'.'.join(path)} is {found!r}; set it to {wanted!r}"
    if properties.get("invokerIamDisabled") not in (None, False):
        return "invokerIamDisabled lets anybody call it; leave it out and grant roles/run.invoker to one account"
    return None


NO_BASIC_ROLE = Rule(
    "no-basic-role",
    "No basic role, but Viewer for an account where a trigger declares access: viewer or project-viewer. "
    "Basic roles open nearly every service, and more with each new one.",
    _no_basic_role,
)
RULES: tuple[Rule, ...] = (
    NO_BASIC_ROLE,
    Rule(
        "no-public-member",
        "Nothing is given to allUsers or allAuthenticatedUsers. The second is anybody with a Google account.",
        _no_public_member,
    ),
    Rule(
        "no-authoritative-grant",
        "Permissions are added, one member at a time. A binding, a policy or an access list removes the members "
        "that other people added, and Google's own service agents.",
        _no_authoritative_grant,
    ),
    Rule(
        "no-project-wide-impersonation",
        "Nobody may act as every account of a project, nor give roles in it. Whoever may is its owner in the end.",
        _no_impersonation,
    ),
    Rule(
        "no-project-wide-storage-admin",
        "Nobody administers every bucket of a project. One of them holds somebody else's data.",
        _no_storage_admin,
    ),
    Rule(
        "no-unlisted-role-on-project",
        "A role on a whole project, and a permission in a custom role, is one that is listed with its reason. "
        "Service agents' roles, builds, machines and policies lead to Owner by ways that no list of dangers has in "
        "full.",
        _nothing_unlisted,
    ),
    Rule(
        "no-service-account-key",
        "No service account has a key. It works from anywhere, for anyone, until somebody remembers it.",
        _no_key,
    ),
    Rule(
        "own-account-in-production",
        "In production a function runs as an account of its own. A default account is shared, and often an Editor.",
        _own_account,
        production_only=True,
    ),
    Rule(
        "private-bucket",
        "Every bucket has uniform access and public-access prevention. Without them the access list of one object "
        "can publish what the bucket keeps private.",
        _private_bucket,
    ),
    Rule(
        "dead-letter",
        "Every push subscription has a dead-letter topic. Without one, a message that cannot be handled is dropped "
        "when it is too old, and nobody is told.",
        _dead_letters,
    ),
    Rule(
        "kept-subscription",
        "No subscription expires. By default 31 idle days delete it, and what is published after that is lost.",
        _kept_subscription,
    ),
    Rule(
        "private-function",
        "A function can be called from inside Google's network only, and only with an invoker's token.",
        _private_function,
    ),
)
