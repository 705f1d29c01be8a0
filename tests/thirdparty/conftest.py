"""Projects of others, with tests and environments of their own; tests/core/testing/test_thirdparty.py runs them there."""

collect_ignore_glob = ["*/*"]
