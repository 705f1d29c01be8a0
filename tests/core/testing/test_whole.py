from typing import ClassVar

import pytest
from aisbx.testing import DriverContract
from aisbx.testing.unconfined import Unconfined
from aisbx.testing.whole import Contract, names_of_tests

# Written out, so that a test that is removed from the kit is missed here.
DRIVER_TESTS = {
    "test_a_command_in_the_background_outlives_its_client_hears_others_and_ends_whole",
    "test_a_command_that_does_not_exist_is_not_found",
    "test_a_command_without_a_terminal_has_no_size",
    "test_a_copied_workspace_stays_as_it_is_until_its_changes_are_applied",
    "test_a_file_that_is_no_program_is_not_executable",
    "test_a_fork_has_what_its_origin_had_and_goes_its_own_way",
    "test_a_guarded_workspace_applies_itself_but_for_what_the_host_would_execute_and_conflicts",
    "test_a_live_workspace_is_at_the_same_path_and_what_is_written_there_stays",
    "test_a_published_port_leads_from_the_hosts_loopback_to_a_server_inside_and_nowhere_else",
    "test_a_sandbox_that_is_not_there_cannot_be_attached",
    "test_a_signal_reaches_the_command_and_after_its_end_nothing_happens",
    "test_a_terminal_has_the_size_it_is_given",
    "test_arguments_arrive_as_they_were_given",
    "test_beyond_the_capture_bound_bytes_are_dropped_counted_and_the_command_goes_on",
    "test_closing_ends_every_process_and_may_be_done_twice",
    "test_death_by_a_signal_gives_128_and_its_number",
    "test_files_are_read_and_copied_within_bounds_and_written_whole",
    "test_no_link_inside_leads_the_hosts_work_on_files_out_of_the_sandbox",
    "test_output_goes_to_the_callers_descriptors",
    "test_servers_and_their_clients_work_inside",
    "test_standard_input_arrives_byte_for_byte",
    "test_the_attack_fails_or_the_spec_is_refused",
    "test_the_attack_works_unconfined",
    "test_the_command_starts_in_its_directory_with_the_variables_named_for_it",
    "test_the_contract_is_whole",
    "test_the_driver_says_whether_it_can_work_and_if_not_what_to_do",
    "test_the_exit_code_is_the_commands_own",
    "test_the_report_gives_a_mechanism_for_each_claim_and_a_reason_for_each_lack",
    "test_the_report_is_the_same_when_asked_twice_and_makes_nothing",
    "test_the_two_output_streams_stay_apart_and_whole",
    "test_waiting_for_a_while_gives_none_until_the_command_has_ended",
    "test_what_a_command_used_is_counted",
    "test_what_is_not_claimed_is_refused",
    "test_what_is_observed_is_no_weaker_than_what_was_planned",
    "test_what_is_paused_stands_still_takes_no_command_and_goes_on",
    "test_without_standard_input_there_is_its_end_at_once",
}
TERMINAL = "test_a_terminal_has_the_size_it_is_given"


def _nothing(_self: object) -> None: ...


class Small(Contract, contract=True):
    def test_one(self) -> None: ...
    def test_two(self) -> None: ...


Small.TESTS = names_of_tests(Small)


def test_the_drivers_contract_has_the_tests_that_are_listed_here() -> None:
    assert DriverContract.TESTS == DRIVER_TESTS
    assert names_of_tests(DriverContract) == DRIVER_TESTS


def test_a_contract_that_is_taken_whole_is_accepted() -> None:
    class Author(DriverContract):
        @pytest.fixture
        def driver(self) -> Unconfined:
            return Unconfined()

        def test_of_the_authors_own(self) -> None: ...

    Author().test_the_contract_is_whole()


def test_overriding_a_test_is_refused() -> None:
    with pytest.raises(TypeError, match=f"{TERMINAL} is overridden"):
        type("Author", (DriverContract,), {TERMINAL: _nothing})


def test_deleting_a_test_by_setting_it_to_none_is_refused() -> None:
    with pytest.raises(TypeError, match=f"{TERMINAL} is overridden"):
        type("Author", (DriverContract,), {TERMINAL: None})


def test_hiding_a_test_behind_a_mixin_is_refused() -> None:
    mixin = type("Mixin", (), {"test_the_attack_fails_or_the_spec_is_refused": _nothing})
    with pytest.raises(TypeError, match="test_the_attack_fails_or_the_spec_is_refused is overridden"):
        type("Author", (mixin, DriverContract), {})


def test_overriding_in_a_class_between_is_refused() -> None:
    between = type("Between", (DriverContract,), {})
    with pytest.raises(TypeError, match="is overridden"):
        type("Author", (between,), {TERMINAL: None})


@pytest.mark.parametrize(
    ("name", "value"), [("TESTS", frozenset[str]()), ("UNWAIVABLE", frozenset[str]()), ("__init_subclass__", None)]
)
def test_changing_the_rules_of_the_contract_is_refused(name: str, value: object) -> None:
    with pytest.raises(TypeError, match="changes"):
        type("Author", (DriverContract,), {name: value})


@pytest.mark.parametrize("mark", [pytest.mark.skip, pytest.mark.skipif(True, reason="no"), pytest.mark.xfail])  # noqa: FBT003
def test_marking_the_whole_contract_as_skipped_is_refused(mark: pytest.MarkDecorator) -> None:
    for value in (mark, [mark]):
        with pytest.raises(TypeError, match="is marked"):
            type("Author", (DriverContract,), {"pytestmark": value})


@pytest.mark.parametrize(
    ("waive", "what"),
    [
        ({"test_of_nothing": "no such"}, "which is no test of it"),
        ({TERMINAL: ""}, "gives no reason"),
        ({TERMINAL: "  "}, "gives no reason"),
        ({"test_the_contract_is_whole": "tedious"}, "cannot be waived"),
        ({"test_the_attack_fails_or_the_spec_is_refused": "we are safe"}, "cannot be waived"),
        ({"test_the_attack_works_unconfined": "slow"}, "cannot be waived"),
        ({"test_what_is_not_claimed_is_refused": "we are nice"}, "cannot be waived"),
    ],
)
def test_a_waiver_needs_an_existing_test_a_reason_and_no_attack(waive: dict[str, str], what: str) -> None:
    with pytest.raises(TypeError, match=what):
        type("Author", (DriverContract,), {"waive": waive})


def test_a_waived_test_is_skipped_with_its_reason() -> None:
    class Author(Small):
        waive: ClassVar = {"test_one": "Acme has no first thing"}

    with pytest.raises(pytest.skip.Exception, match="waived: Acme has no first thing"):
        Author().test_one()
    Author().test_two()
    Author().test_the_contract_is_whole()


def test_a_waiver_is_kept_by_classes_below() -> None:
    between = type("Between", (DriverContract,), {"waive": {TERMINAL: "Acme has no terminals"}})
    below = type("Below", (between,), {})
    with pytest.raises(pytest.skip.Exception, match="Acme has no terminals"):
        getattr(below(), TERMINAL)()


def test_a_test_that_is_deleted_from_the_base_class_is_missed() -> None:
    contract = type("Contract", (Contract,), {"test_one": _nothing}, contract=True)
    setattr(contract, "TESTS", names_of_tests(contract))  # noqa: B010  (pyright does not know the class)
    author = type("Author", (contract,), {})
    delattr(contract, "test_one")
    with pytest.raises(AssertionError, match="test_one was deleted from Contract"):
        author().test_the_contract_is_whole()
