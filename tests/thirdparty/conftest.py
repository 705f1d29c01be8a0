"""Projects of others, with environments of their own: tests/core/testing/test_thirdparty.py runs their tests there."""

collect_ignore_glob = ["*/*"]
