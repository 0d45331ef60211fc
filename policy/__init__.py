"""What platform teams enforce: rules over resources, and the Pulumi policy pack that applies them."""
