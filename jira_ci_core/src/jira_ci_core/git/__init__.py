"""Ask git about the checkout."""
