"""What package managers fetch from, by the name that a rule gives it (`@pypi`): the hosts of a public index."""

from collections.abc import Mapping

INDEXES: Mapping[str, tuple[str, ...]] = {
    "crates": ("crates.io:443", "index.crates.io:443", "static.crates.io:443"),
    "go": ("proxy.golang.org:443", "sum.golang.org:443"),
    "maven": ("repo.maven.apache.org:443", "repo1.maven.org:443"),
    "npm": ("registry.npmjs.org:443",),
    "pypi": ("files.pythonhosted.org:443", "pypi.org:443"),
}
