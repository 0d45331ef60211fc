"""Google Cloud's services, as far as the bundle uses them."""
