"""Which Java is found, by the layouts of those who install it (recorded), and what of the host is shown for it."""

import pytest
from aisbx.errors import ProfileError
from aisbx.toolchains import installed, java, prefix

from tests.core.toolchains.installs import find, install, mounted
from tests.core.toolchains.pythons import forbid_processes
from tests.core.world import World

JAVA = ("bin/java", "bin/javac", "lib/modules")


@pytest.fixture(autouse=True)
def nothing_is_executed(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    forbid_processes(monkeypatch)
    monkeypatch.setattr(installed, "SYSTEM_PATH", (str(world.home.parent / "usr/bin"),))


PLACES = {
    "sdkman": ".sdkman/candidates/java/{}",
    "jabba": ".jabba/jdk/{}",
    "asdf": ".asdf/installs/java/{}",
    "mise": ".local/share/mise/installs/java/{}",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_managers_newest_is_found_or_what_a_version_file_selects(place: str, world: World) -> None:
    old, new = (install(world.home / place.format(version), JAVA) for version in ("9.0.4", "21.0.2"))
    found = find(world, "java")
    assert mounted(found) == [str(new)]
    assert found.environment == {"JAVA_HOME": str(new)}
    world.write(world.project / ".java-version", "9.0.4\n")
    assert mounted(find(world, "java")) == [str(old)]


def test_sdkmans_current_and_its_file_are_honoured(world: World) -> None:
    candidates = world.home / ".sdkman/candidates"
    install(candidates / "java/21.0.2-tem", JAVA)
    chosen = install(candidates / "java/17.0.9-tem", JAVA)
    other = install(candidates / "java/11.0.20-amzn", JAVA)
    (candidates / "java/current").symlink_to("17.0.9-tem")
    assert mounted(find(world, "java")) == [str(chosen)]
    world.write(world.project / ".sdkmanrc", "# which one\njava=11.0.20-amzn\n")
    assert mounted(find(world, "java")) == [str(other)]


def test_java_home_comes_first_and_is_shown_by_its_real_path(world: World) -> None:
    install(world.home / ".sdkman/candidates/java/21.0.2", JAVA)
    real = install(world.home / "opt/jdk-17", JAVA)
    (world.home / "opt/java").symlink_to("jdk-17")
    world.environ["JAVA_HOME"] = str(world.home / "opt/java")
    found = find(world, "java")
    assert mounted(found) == [str(real)]
    assert found.environment == {"JAVA_HOME": str(real)}


@pytest.mark.parametrize(
    ("named", "why"),
    [("jdk", "not an absolute path"), ("/nowhere/jdk", "No such file"), ("{home}", "is a home directory")],
)
def test_a_java_home_that_is_none_is_an_error_and_no_reason_to_look_further(named: str, why: str, world: World) -> None:
    install(world.home / ".sdkman/candidates/java/21.0.2", JAVA)
    install(world.home, JAVA)
    world.environ["JAVA_HOME"] = named.format(home=world.home)
    with pytest.raises(ProfileError, match=why):
        find(world, "java")


def test_maven_and_gradle_come_along(world: World) -> None:
    jdk = install(world.home / ".sdkman/candidates/java/21.0.2", JAVA)
    gradle = install(world.home / ".sdkman/candidates/gradle/8.5", ("bin/gradle", "init.d/readme.txt"))
    maven = install(world.home / "opt/maven", ("bin/mvn", "bin/m2.conf"))
    world.environ["PATH"] = f"{maven}/bin"
    found = find(world, "java")
    assert mounted(found) == [str(jdk), str(maven), str(gradle)]
    assert found.path == (f"{jdk}/bin", f"{maven}/bin", f"{gradle}/bin")
    other = install(world.home / "opt/maven-4", ("bin/mvn", "bin/m2.conf"))
    world.environ["MAVEN_HOME"] = str(other)
    assert str(other) in mounted(find(world, "java"))


def test_the_settings_in_etc_of_the_systems_java_and_maven_are_shown_and_nothing_else_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = world.home.parent
    usr, etc = root / "usr", root / "etc"
    monkeypatch.setattr(java, "ETC", str(etc))
    for module in (java, prefix, installed):
        monkeypatch.setattr(module, "SYSTEM", str(usr))
    jdk = install(usr / "lib/jvm/java-17", JAVA)
    install(usr / "share/maven", ("bin/mvn",))
    (usr / "bin").mkdir()
    (usr / "bin/java").symlink_to(jdk / "bin/java")
    (usr / "bin/mvn").symlink_to(usr / "share/maven/bin/mvn")
    for name in ("java-17-openjdk/security/java.security", "maven/settings.xml", "ssl/cacerts", "shadow"):
        world.write(etc / name, "")
    (jdk / "conf").mkdir()
    (jdk / "conf/net.properties").symlink_to(etc / "java-17-openjdk/net.properties")
    (jdk / "lib/cacerts").symlink_to(etc / "ssl/cacerts")
    (jdk / "lib/shadow").symlink_to(etc / "shadow")
    assert mounted(find(world, "java")) == [str(etc / "java-17-openjdk"), str(etc / "maven")]


def test_no_java_at_all_says_where_it_was_looked_for(world: World) -> None:
    with pytest.raises(ProfileError, match="no Java was found: no JAVA_HOME, not on PATH, with SDKMAN") as caught:
        find(world, "java")
    assert caught.value.hint == "install default-jdk-headless"
