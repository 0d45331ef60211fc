"""The entry point of `pulumi up`: settings, one foundation, one component per trigger, exports."""

import sys
from pathlib import Path

import pulumi

# Pulumi runs this directory as a script: the project's root is not on the path, and what is there instead would let
# infra/packaging.py pass for the package of that name.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from infra.errors import ConfigurationError
from infra.foundation import Foundation
from infra.propagation import retry_until_propagated
from infra.settings import read_settings
from infra.trigger import PipelineTrigger, check_triggers

try:
    settings = read_settings(pulumi.get_stack(), pulumi.runtime.get_config_env())
    triggers = check_triggers(settings)
except ConfigurationError as error:
    raise pulumi.RunError(str(error)) from None

retry_until_propagated()
foundation = Foundation(settings)
deployed = {trigger.settings.name: PipelineTrigger(trigger, foundation) for trigger in triggers}
for component in deployed.values():
    for name, value in component.exports.items():
        pulumi.export(name, value)
# No trigger's export has a name without a dash.
pulumi.export("triggers", {name: component.deployed for name, component in deployed.items()})
pulumi.export("ledger", foundation.ledger.name)
pulumi.export("ledger_days", settings.ledger_days)
