"""Every type of resource that a stack has. One that is not here is refused."""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.engine.kinds import functions, identity, members, others, pubsub, storage
from rehearsal.engine.kinds.kind import Kind

KINDS: Mapping[str, Kind] = {
    kind.type: kind()
    for kind in (
        functions.Function,
        identity.Account,
        identity.CustomRole,
        identity.Service,
        identity.ServiceIdentity,
        members.AccountMember,
        members.BackendServiceMember,
        members.BucketMember,
        members.ProjectMember,
        members.RepositoryMember,
        members.RunMember,
        members.SubscriptionMember,
        members.TopicMember,
        others.Job,
        others.Repository,
        others.Sink,
        pubsub.Subscription,
        pubsub.Topic,
        storage.Bucket,
        storage.BucketObject,
        storage.Notification,
    )
}
