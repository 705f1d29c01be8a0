"""What goes in and what comes out."""

import hashlib
import os
from pathlib import Path

from aisbx.testing.behaviour.base import SECONDS, Base
from aisbx.testing.scene import Scene
from aisbx.testing.ways import ways
from aisbx.types import Command, Driver, Stdio


class Streams(Base, contract=True):
    """The three streams, byte for byte."""

    def test_standard_input_arrives_byte_for_byte(self, driver: Driver, scene: Scene) -> None:
        """More than a pipe holds, every byte value, and then its end."""
        given = bytes(range(256)) * 1024
        program = "import sys, hashlib; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
        for status in self.run(driver, scene, program, stdio=Stdio(stdin=given)):
            assert status.stdout.data.decode().strip() == hashlib.sha256(given).hexdigest()

    def test_without_standard_input_there_is_its_end_at_once(self, driver: Driver, scene: Scene) -> None:
        """Nothing waits for a person who is not there."""
        for status in self.run(driver, scene, "import sys; print(len(sys.stdin.buffer.read()))"):
            assert status.stdout.data == b"0\n"

    def test_the_two_output_streams_stay_apart_and_whole(self, driver: Driver, scene: Scene) -> None:
        """Byte for byte, and each where it belongs."""
        program = "import os\nfor n in range(64): os.write(1, bytes(range(256)) * 16); os.write(2, b'\\xff\\0' * 64)"
        for status in self.run(driver, scene, program):
            assert status.stdout.data == bytes(range(256)) * 16 * 64
            assert status.stderr.data == b"\xff\0" * 64 * 64

    def test_output_goes_to_the_callers_descriptors(self, driver: Driver, scene: Scene) -> None:
        """Relayed, and what was in the file before stays."""
        for way in ways(driver).values():
            path = os.path.join(scene.elsewhere, "log")
            Path(path).write_text("before ")
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
            try:
                command = Command(argv=(self.python, "-I", "-S", "-c", "print('after')"))
                way(scene.spec(), command, Stdio(stdout=descriptor), Path(scene.state), SECONDS)
            finally:
                os.close(descriptor)
            assert Path(path).read_text() == "before after\n"

    def test_beyond_the_capture_bound_bytes_are_dropped_counted_and_the_command_goes_on(
        self, driver: Driver, scene: Scene
    ) -> None:
        """A bound on what is kept is no reason for the command to stop."""
        program = "import sys; sys.stdout.write('x' * 300000)"
        for status in self.run(driver, scene, program, stdio=Stdio(capture=100000)):
            assert status.code == 0
            assert (len(status.stdout.data), status.stdout.dropped) == (100000, 200000)
