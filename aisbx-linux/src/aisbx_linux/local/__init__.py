"""What drivers have in common whose launch is a `LocalPlan`: from a spec to a plan, and what of it will hold."""
