"""What holds for every test."""

from hypothesis import settings

# Nothing is written into the checkout, which may be read-only, and a slow machine is no failure.
settings.register_profile("house", database=None, deadline=None)
settings.load_profile("house")
