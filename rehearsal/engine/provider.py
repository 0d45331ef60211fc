"""The substitute of the Google Cloud provider: what the engine asks of `pulumi-resource-gcp`, over the small cloud.

It does what the bridge does around a Terraform provider (pulumi-terraform-bridge pkg/tfbridge/provider.go): names
from the engine's seed, defaults with a note of them, differences that replace. Where it is uncertain it is strict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import status_pb2  # type: ignore[import-untyped]  # it has none
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from rehearsal.engine.cloud import Cloud, CloudError, HalfMadeError, Thing
from rehearsal.engine.kinds.kind import Kind
from rehearsal.engine.kinds.storage import AGENT
from rehearsal.engine.kinds.table import KINDS
from rehearsal.engine.values import DEFAULTS, differences, from_struct, given, to_struct
from rehearsal.program import PROJECT_NUMBER

T = TypeVar("T")
VERSION = "10.2.0"  # of pulumi_gcp; tests hold it to the one that is installed


class SubstituteProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Serves one cloud to any engine that attaches."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._project = ""

    def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        self._project = from_struct(request.args).get("project", "")
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:
        kind, news, olds = self._kind(request.urn, context), from_struct(request.news), from_struct(request.olds)
        news.pop(DEFAULTS, None)
        unknown = sorted(news.keys() - kind.required - kind.optional)
        failures = [provider_pb2.CheckFailure(property=key, reason=f"{key} is no property of it") for key in unknown]
        defaulted = {key: value for key, value in kind.defaults.items() if key not in news}
        if kind.autoname and kind.autoname not in news:
            old = olds.get(kind.autoname) if kind.autoname in olds.get(DEFAULTS, []) else None
            name = request.urn.rsplit("::", 1)[-1]
            defaulted[kind.autoname] = old or f"{name}-{hashlib.sha256(request.randomSeed).hexdigest()[:7]}"
        inputs = {**news, **defaulted, DEFAULTS: sorted(defaulted)}
        failures += [
            provider_pb2.CheckFailure(property=key, reason=f"Missing required property '{key}'")
            for key in sorted(kind.required - inputs.keys() - {"project"})
        ]
        return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:
        kind, old, new = self._kind(request.urn, context), from_struct(request.old_inputs), from_struct(request.news)
        found = [*differences(given(old), given(new))]
        replacing = {path for path, _ in found if _top(path) in kind.replaces}
        own_name = kind.autoname and kind.autoname not in new.get(DEFAULTS, [])
        details = {
            path: provider_pb2.PropertyDiff(
                kind=provider_pb2.PropertyDiff.Kind.Value(what.upper() + ("_REPLACE" if path in replacing else "")),
                inputDiff=True,
            )
            for path, what in found
        }
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some if found else none,
            diffs=sorted({_top(path) for path, _ in found}),
            replaces=sorted({_top(path) for path in replacing}),
            deleteBeforeReplace=bool(replacing and (kind.delete_first or own_name)),
            detailedDiff=details,
            hasDetailedDiff=True,
        )

    def Create(self, request: Any, context: Any) -> Any:
        kind, inputs = self._kind(request.urn, context), from_struct(request.properties)
        if request.preview:
            outputs = {**given(inputs), **kind.unknowns(inputs)}
            return provider_pb2.CreateResponse(properties=to_struct(outputs))
        made = self._call(context, inputs, lambda full: kind.create(self.cloud, full), kind.identify)
        self.cloud.interrupt(kind.type)
        return provider_pb2.CreateResponse(id=made.id, properties=to_struct(made.outputs))

    def Update(self, request: Any, context: Any) -> Any:
        kind, inputs, olds = (
            self._kind(request.urn, context),
            from_struct(request.news),
            from_struct(request.olds),
        )
        if request.preview:
            return provider_pb2.UpdateResponse(properties=to_struct(_foreseen(kind, olds, inputs)))
        done = self._call(
            context, inputs, lambda full: kind.update(self.cloud, request.id, full), lambda _: request.id
        )
        return provider_pb2.UpdateResponse(properties=to_struct(done.outputs))

    def Read(self, request: Any, context: Any) -> Any:
        kind, state, inputs = (
            self._kind(request.urn, context),
            from_struct(request.properties),
            from_struct(request.inputs),
        )
        known = given(inputs) | {key: state[key] for key in ("project", "bucket", "name") if key in state}
        found = self._call(context, known, lambda full: kind.read(self.cloud, request.id, full), lambda _: request.id)
        if found is None:
            return provider_pb2.ReadResponse()
        own = {"project"} if inputs and "project" not in inputs else set()  # else it is imported, or says it itself
        read = {key: value for key, value in found.inputs.items() if key not in own}
        noted = to_struct({**read, DEFAULTS: inputs.get(DEFAULTS, [])})
        return provider_pb2.ReadResponse(id=request.id, inputs=noted, properties=to_struct(found.outputs))

    def Delete(self, request: Any, context: Any) -> Any:
        kind, state = self._kind(request.urn, context), from_struct(request.properties)
        self._call(context, state, lambda full: kind.delete(self.cloud, request.id, full), lambda _: request.id)
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        arguments = from_struct(request.args)
        match request.tok:
            case "gcp:organizations/getProject:getProject":
                answer = {"number": PROJECT_NUMBER, "projectId": arguments["projectId"]}
            case "gcp:storage/getProjectServiceAccount:getProjectServiceAccount":
                answer = {"emailAddress": AGENT, "member": f"serviceAccount:{AGENT}"}
                self.cloud.given.accounts.add(AGENT)  # asking for it is what makes it exist
            case _:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, f"nobody has said what {request.tok} answers")
        self._call(
            context,
            arguments,
            lambda full: self.cloud.need(full["project"], "resourcemanager.projects.get"),
            lambda _: "",
        )
        return provider_pb2.InvokeResponse(**{"return": to_struct(answer)})

    def _kind(self, urn: str, context: Any) -> Kind:
        token = urn.split("::")[2].rsplit("$", 1)[-1]
        if token not in KINDS:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"nobody has said what a {token} is")
        return KINDS[token]

    def _call(
        self,
        context: Any,
        inputs: dict[str, Any],
        call: Callable[[dict[str, Any]], T],
        identify: Callable[[dict[str, Any]], str],
    ) -> T:
        """Does something in the cloud; what it refuses is what the engine is told."""
        full = {"project": self._project, **given(inputs)}
        with self.cloud.lock:
            try:
                return call(full)
            except HalfMadeError as error:
                self._half_made(context, self.cloud.things[identify(full)], str(error))
            except CloudError as error:
                context.abort(grpc.StatusCode.UNKNOWN, str(error))
        raise AssertionError

    def _half_made(self, context: Any, thing: Thing, reason: str) -> None:
        failed = provider_pb2.ErrorResourceInitFailed(
            id=thing.id, properties=to_struct(thing.outputs), reasons=[reason]
        )
        detail = any_pb2.Any()
        detail.Pack(failed)
        unknown = grpc.StatusCode.UNKNOWN
        status = status_pb2.Status(code=unknown.value[0], message=reason, details=[detail])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(unknown, reason)


def _top(path: str) -> str:
    """The property that a path begins with."""
    return path.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0]


def _foreseen(kind: Kind, olds: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """What a preview shows of a thing that will be changed: what Google Cloud had added stays."""
    merged = {**olds, **given(inputs)}
    for key, value in merged.items():
        if isinstance(value, dict) and isinstance(olds.get(key), dict) and key in kind.unknowns(inputs):
            merged[key] = {**olds[key], **value}
    return merged
