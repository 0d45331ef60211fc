"""What a stack costs a month, from its plan and list prices."""
