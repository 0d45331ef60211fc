"""The entry point of `pulumi up`: settings, one foundation, one component per trigger, exports."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pulumi

# Pulumi runs this directory as a script: it is on the path, in the place of the project's root.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from infra.ending import end_with_the_engine

if any(argument.endswith("pulumi-language-python-exec") for argument in sys.orig_argv):
    end_with_the_engine()

from infra.advice import advise
from infra.check import check_stack
from infra.errors import ConfigurationError
from infra.resources.foundation import Foundation
from infra.resources.propagation import hook_every_resource
from infra.resources.trigger import PipelineTrigger

try:
    settings, triggers = check_stack(pulumi.get_stack(), pulumi.runtime.get_config_env())
except ConfigurationError as error:
    raise pulumi.RunError(str(error)) from None

for line in advise(settings, datetime.now(UTC)):
    pulumi.log.warn(line)

hook_every_resource(settings)
foundation = Foundation(settings)
deployed = {trigger.settings.name: PipelineTrigger(trigger, foundation) for trigger in triggers}
for component in deployed.values():
    for name, value in component.exports.items():
        pulumi.export(name, value)
# No trigger's export has a name without a dash.
pulumi.export("triggers", {name: component.deployed for name, component in deployed.items()})
pulumi.export("ledger", foundation.ledger.name)
pulumi.export("ledger_days", settings.ledger_days)
