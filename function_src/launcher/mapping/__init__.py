"""From an event to parameters: what stands in it, the language of expressions, and what they give. Pure."""
