"""Joining: every request its share, parts and rest the trace, and every mismatch told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eco2ai_fast as eco
from eco2ai_fast.joining import FLAGS, Mismatch
from eco2ai_fast.requestlogs import LogError, read_log
from eco2ai_fast.tracefile import Writer
from fixtures.traces import HOST, NS_PER_S, START_NS, UTC_NS, anchor, head, rows, vllm, write

shared = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def flags(joined: Any) -> list[str]:
    return [FLAGS[one] for one in joined.rows["flag"]]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A minute at 120 W."""
    return write(tmp_path / "t")


def test_a_request_alone_has_all_the_energy_of_its_time(tmp_path: Path, trace: Path) -> None:
    joined = eco.join(vllm(tmp_path / "r", [10.0], 0.5, [0.25] * 4), trace)
    row = joined.rows[0]
    assert row["energy_j"] == pytest.approx(120 * 1.5, abs=2e-6)
    assert (row["prefill_j"], row["decode_j"]) == (pytest.approx(60, abs=2e-6), pytest.approx(120, abs=2e-6))
    assert joined.report.per_unit_j == pytest.approx(180 / 5, rel=1e-6)
    assert joined.report.unit == "token" and flags(joined) == ["ok"]
    assert joined.report.whole_j == pytest.approx(60 * 120)


@shared
@given(
    starts=st.lists(st.floats(0, 50), min_size=1, max_size=30),
    split=st.sampled_from(["equal", "tokens", (10.0, 1.0)]),
    idle=st.sampled_from([None, 30.0, 200.0]),
)
def test_parts_and_rest_are_the_trace_to_the_microjoule(
    tmp_path: Path, trace: Path, starts: list[float], split: Any, idle: float | None
) -> None:
    joined = eco.join(vllm(tmp_path / "r", starts, 0.3, [0.1] * 20), trace, split=split, idle=idle)
    report = joined.report
    loaded = joined.trace
    whole_uj = sum(int(one["energy_uj"][-1] - one["energy_uj"][0]) for one in loaded.curves.values())

    def uj(values: Any) -> int:
        return int(np.rint(np.asarray(values) * 1e6).astype("i8").sum())

    assert uj(joined.rows["energy_j"]) + uj(report.rest_j) == uj(report.whole_j) == whole_uj
    if idle is not None:
        assert uj(joined.rows["net_j"]) + uj(report.net_rest_j) + uj(report.idle_j) == whole_uj


def test_by_tokens_the_one_that_puts_more_through_takes_more(tmp_path: Path, trace: Path) -> None:
    result = vllm(tmp_path / "r", [5.0, 5.0], 1.0, [0.1] * 10, input_lens=[300, 100], output_lens=[11, 31])
    equal, tokens = (eco.join(result, trace, split=one).rows for one in ("equal", "tokens"))
    assert equal["prefill_j"].tolist() == [60.0, 60.0]
    assert tokens["prefill_j"].tolist() == [90.0, 30.0]
    assert tokens["decode_j"] == pytest.approx([30.0, 90.0])


def test_what_the_report_says_of_the_idle_machine_and_of_grams(tmp_path: Path, trace: Path) -> None:
    result = vllm(tmp_path / "r", [10.0, 20.0], 0.5, [0.25] * 4)
    joined = eco.join(result, trace, idle="rest", zone="FR")
    assert joined.report.idle_w == pytest.approx(120, rel=1e-6)
    assert joined.report.net_j.mean == pytest.approx(0, abs=1e-4)
    grams = 1000 * joined.report.energy_j.mean / 3.6e6 * joined.intensity.g_per_kwh
    assert joined.co2e_g_per_1000 == pytest.approx(grams * joined.pue)
    assert "gCO2e per thousand requests" in repr(joined) and "p99" in repr(joined)


def test_clients_that_ran_together_share_and_are_counted_once(tmp_path: Path, trace: Path) -> None:
    one, two = (vllm(tmp_path / name, [10.0], 0.5, [0.5]) for name in "ab")
    joined = eco.join([one, two], trace)
    assert joined.rows["energy_j"].tolist() == [60.0, 60.0]


def test_a_failed_request_and_one_beyond_the_trace_are_flagged_and_not_counted(tmp_path: Path, trace: Path) -> None:
    result = vllm(
        tmp_path / "r", [10.0, 10.0, 59.5, 10.0], 0.5, [0.5], errors=["", "500", "", ""], ttfts=[0.5, 0.0, 0.5, -5.0]
    )
    joined = eco.join(result, trace)
    assert flags(joined) == ["ok", "failed", "outside the trace", "bad times"]
    assert joined.report.requests == 1 and np.isnan(joined.rows["energy_j"][2])
    assert joined.report.unfinished_j == pytest.approx(60, abs=1e-5)
    assert joined.flagged() == {"failed": 1, "outside the trace": 1, "bad times": 1}
    assert "1 requests: outside the trace" in repr(joined)


def test_a_request_that_ends_before_it_begins_is_flagged(tmp_path: Path, trace: Path) -> None:
    lines = [{"start": START_NS + 10**9, "end": START_NS + 2 * 10**9}, {"start": START_NS + 10**9, "end": START_NS}]
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert flags(eco.join(tmp_path / "r.jsonl", trace)) == ["ok", "bad times"]


def test_a_request_in_a_gap_is_flagged(tmp_path: Path) -> None:
    t_ns = START_NS + np.concatenate([np.arange(100), 1100 + np.arange(100)]).astype("u8") * 10_000_000
    writer = Writer(tmp_path / "t", head("package-0"))
    writer.data(anchor(int(t_ns[-1])), [(0, rows(t_ns, 100.0))])
    writer.done(anchor(int(t_ns[-1])))
    joined = eco.join(vllm(tmp_path / "r", [0.2, 5.0, 11.5], 0.1, [0.1]), tmp_path / "t")
    assert flags(joined) == ["ok", "in a gap", "ok"]


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"host_hash": "cd" * 16}, "another host"),
        ({"boot_id": "other"}, "another boot"),
        ({"date": "20270301-080000"}, "of another boot or host"),
        ({"start_times": [5.0]}, "no request lies within the trace"),
    ],
)
def test_another_host_boot_or_time_is_refused(tmp_path: Path, trace: Path, values: Any, what: str) -> None:
    with pytest.raises(Mismatch, match=what):
        eco.join(vllm(tmp_path / "r", [10.0], 0.5, [0.5], **values), trace)


def test_the_same_host_and_boot_say_nothing_and_an_unknown_one_a_note(tmp_path: Path, trace: Path) -> None:
    known = vllm(tmp_path / "r", [10.0], 0.5, [0.5], host_hash=HOST["hash"], boot_id=HOST["boot_id"])
    assert eco.join(known, trace).notes == ()
    assert "does not say" in eco.join(vllm(tmp_path / "r", [10.0], 0.5, [0.5]), trace).notes[0]


@pytest.mark.parametrize("missing", ["start_times", "ttfts", "itls", "output_lens"])
def test_a_result_without_details_says_which_option_writes_them(tmp_path: Path, missing: str) -> None:
    with pytest.raises(LogError, match=f"has no {missing}.*--save-detailed"):
        read_log(vllm(tmp_path / "r", [10.0], 0.5, [0.5], **{missing: None}))


def test_a_result_that_was_not_saved_in_detail_says_which_option_does_it(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"completed": 10, "request_throughput": 3.0, "total_output_tokens": 5}))
    with pytest.raises(LogError, match=r"has no start_times, ttfts.*--save-detailed"):
        read_log(path)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"start_times": ["soon", 1011.0]}, 'request 0: in start_times stands "soon", which is no number'),
        ({"itls": [[0.1], 0.1]}, "request 1: in itls stands 0.1, which is no list of numbers"),
        ({"itls": [[0.1], ["a"]]}, "request 1: in itls"),
        ({"start_times": [], "ttfts": [], "itls": [], "output_lens": []}, "holds no requests"),
    ],
)
def test_what_is_no_number_names_request_and_field(tmp_path: Path, values: Any, what: str) -> None:
    with pytest.raises(LogError) as raised:
        read_log(vllm(tmp_path / "r", [10.0, 11.0], 0.5, [0.5], **values))
    assert what in str(raised.value)


@pytest.mark.parametrize(
    "values",
    [
        {"ttfts": [0.5, None, 0.5]},
        {"itls": [[0.5], None, [0.5]]},
        {"start_times": [1010.0, float("nan"), 1012.0]},
        {"start_times": [1010.0, 1e300, 1012.0]},
        {"start_times": [1010.0, None, 1012.0]},
    ],
)
def test_a_request_without_a_time_is_flagged_and_the_others_are_joined(
    tmp_path: Path, trace: Path, values: Any
) -> None:
    joined = eco.join(vllm(tmp_path / "r", [10.0, 11.0, 12.0], 0.5, [0.5], **values), trace)
    assert flags(joined) == ["ok", "bad times", "ok"]
    assert joined.rows["energy_j"][[0, 2]].tolist() == pytest.approx([120, 120])
    assert np.isnan(joined.rows["energy_j"][1])


def test_joules_per_token_are_over_requests_that_say_how_many(tmp_path: Path, trace: Path) -> None:
    joined = eco.join(vllm(tmp_path / "r", [10.0, 20.0], 0.5, [0.5], output_lens=[4, None]), trace)
    assert joined.report.units == 4 and joined.report.per_unit_j == pytest.approx(30)
    assert joined.report.requests == 2


def test_columns_of_different_length_and_broken_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="different lengths"):
        read_log(vllm(tmp_path / "r", [10.0, 11.0], 0.5, [0.5], ttfts=[0.1]))
    path = vllm(tmp_path / "r", [10.0, 11.0], 0.5, [0.5])
    path.write_text(path.read_text()[:-40])
    with pytest.raises(LogError, match="no whole JSON"):
        read_log(path)


def test_numbers_are_whole_wherever_the_file_is_cut_into_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = vllm(tmp_path / "r", [10.0, 11.5], 0.25, [1e-05, 0.125])
    whole = read_log(path)
    for piece in range(1, 40):
        monkeypatch.setattr("eco2ai_fast.requestlogs.PIECE", piece)
        log = read_log(path)
        for name in ("start_ns", "first_ns", "end_ns", "units", "failed"):
            assert getattr(log, name).tolist() == getattr(whole, name).tolist(), piece


def test_results_that_were_appended_are_read_one_after_another(tmp_path: Path) -> None:
    path = vllm(tmp_path / "r", [10.0, 11.0], 0.5, [0.5])
    path.write_text(path.read_text() + "\n" + path.read_text() + "\n")
    assert len(read_log(path)) == 4


@pytest.mark.parametrize(
    ("start", "end", "clock"),
    [
        (START_NS + 10 * NS_PER_S, START_NS + 11 * NS_PER_S, "monotonic_ns"),
        (1010.0, 1011.0, "seconds"),
        (UTC_NS + START_NS + 10 * NS_PER_S, UTC_NS + START_NS + 11 * NS_PER_S, "utc"),
        ("1800001010.5", "1800001011.5", "utc"),
        ("2027-01-15T08:16:50Z", "2027-01-15T08:16:51Z", "utc"),
    ],
)
@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_every_clock_of_a_plain_log_leads_to_the_same_joules(
    tmp_path: Path, trace: Path, start: Any, end: Any, clock: str, suffix: str
) -> None:
    path = tmp_path / f"r.{suffix}"
    if suffix == "csv":
        path.write_text(f"start,end,first_output,units\n{start},{end},,4\n")
    else:
        path.write_text(json.dumps({"start": start, "end": end, "units": 4}) + "\n")
    assert read_log(path).clock == clock
    joined = eco.join(path, trace)
    assert joined.rows["energy_j"][0] == pytest.approx(120, abs=1e-5)
    assert joined.report.per_unit_j == pytest.approx(30, rel=1e-6)


def test_a_plain_log_without_begin_or_with_words_names_the_request(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"start": 1000, "end": 1001}\n{"start": 1000}\n')
    with pytest.raises(LogError, match="request 2: there is no 'end'"):
        read_log(path)
    path.write_text('{"start": "yesterday", "end": 1001}\n')
    with pytest.raises(LogError, match="request 1"):
        read_log(path)
    path.write_text('{"start": 1700000000000, "end": 1700000001000}\n')
    with pytest.raises(LogError, match="cannot be told"):
        read_log(path)
    path.write_text("")
    with pytest.raises(LogError, match="holds no requests"):
        read_log(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.csv", "\ufeffstart,end\r\n1010,1011\r\n"),
        ("r.CSV", "start, end\n1010, 1011\n"),
        ("r.jsonl", '\ufeff{"start": 1010, "end": 1011}\n'),
        ("r.json", '[{"start": 1010, "end": 1011, "tags": ["a"]}]'),
    ],
)
def test_files_as_spreadsheets_and_other_clients_write_them_are_read(
    tmp_path: Path, trace: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    joined = eco.join(tmp_path / name, trace)
    assert joined.rows["energy_j"].tolist() == [pytest.approx(120)]
    assert "unknown units" in repr(joined)


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("r.csv", "start,end\n1010\n", "request 1: there is no 'end'"),
        ("r.jsonl", '{"start": null, "end": 1011}', "request 1: there is no 'start'"),
        ("r.json", "[1, 2]", "a request is an object, not 1"),
        ("r.json", '{"a": ' + "[" * 100_000, "no whole JSON"),
        ("r.json", '{"start" 5}', "no whole JSON"),
        ("r.jsonl", '{"start": 1, "end": 2}\n7\n', "a request is an object, not 7"),
        ("r.jsonl", '{"start": 1, "end": 2}\n{"start": 1, "end": 2, "units": [3]}', "request 2"),
        ("r.jsonl", '{"start": 1, "end": 2}\n{"start": 1, "en', "no whole JSON"),
    ],
)
def test_what_no_request_can_be_read_from_says_so(tmp_path: Path, name: str, text: str, what: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(LogError) as raised:
        read_log(tmp_path / name)
    assert what in str(raised.value) and name in str(raised.value)


def test_what_is_no_utf8_is_told_with_the_name_of_the_file(tmp_path: Path) -> None:
    for name in ("r.jsonl", "r.csv"):
        (tmp_path / name).write_bytes(b"start,end\n\xff\xfe,1\n" if name == "r.csv" else b'{"start": "\xff\xfe"}')
        with pytest.raises(LogError, match=name):
            read_log(tmp_path / name)


def test_only_gaps_of_counted_domains_flag_a_request(tmp_path: Path) -> None:
    said = head("package-0", "core")
    said["domains"][1]["counted"] = False
    t_ns = START_NS + np.arange(2000, dtype="u8") * 10_000_000
    writer = Writer(tmp_path / "t", said)
    writer.data(anchor(int(t_ns[-1])), [(0, rows(t_ns, 100.0)), (0, rows(t_ns[[0, 1, 2, 3, 1998, 1999]], 50.0))])
    writer.done(anchor(int(t_ns[-1])))
    joined = eco.join(vllm(tmp_path / "r", [5.0], 0.5, [0.5]), tmp_path / "t")
    assert flags(joined) == ["ok"] and len(joined.trace.gaps) == 1


@shared
@given(
    gaps=st.lists(st.tuples(st.integers(0, 40), st.integers(3, 15)), min_size=1, max_size=4),
    starts=st.lists(st.floats(0, 55), min_size=1, max_size=10),
)
def test_a_request_meets_a_gap_if_and_only_if_it_runs_while_one_lasts(
    tmp_path: Path, gaps: list[tuple[int, int]], starts: list[float]
) -> None:
    t_ns = START_NS + np.arange(6001, dtype="u8") * 10_000_000
    writer = Writer(tmp_path / "t", head(*(f"package-{place}" for place in range(len(gaps)))))
    apart = [
        t_ns[(t_ns <= START_NS + at * NS_PER_S) | (t_ns >= START_NS + (at + long) * NS_PER_S)] for at, long in gaps
    ]
    writer.data(anchor(int(t_ns[-1])), [(0, rows(one, 100.0)) for one in apart])
    writer.done(anchor(int(t_ns[-1])))
    joined = eco.join(vllm(tmp_path / "r", starts, 0.5, [0.5]), tmp_path / "t")
    for row, start in zip(joined.rows, starts, strict=True):
        meets = any(start < at + long - 1e-6 and start + 1 > at + 1e-6 for at, long in gaps)
        touches = any(abs(start - at - long) < 1e-5 or abs(start + 1 - at) < 1e-5 for at, long in gaps)
        assert touches or (FLAGS[row["flag"]] == "in a gap") == meets, (start, gaps)


@pytest.mark.parametrize("idle", [float("nan"), -3.0, float("inf"), "much"])
def test_an_idle_power_that_is_none_is_refused(tmp_path: Path, trace: Path, idle: Any) -> None:
    with pytest.raises(ValueError, match="idle"):
        eco.join(vllm(tmp_path / "r", [10.0], 0.5, [0.5]), trace, idle=idle)


def test_nothing_to_join_is_refused(trace: Path) -> None:
    with pytest.raises(LogError, match="no log"):
        eco.join([], trace)


def test_where_utc_was_set_meanwhile_requests_in_utc_are_flagged(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "t", head("package-0"))
    for second in range(20):
        t_ns = START_NS + second * NS_PER_S + np.arange(100, dtype="u8") * 10_000_000
        writer.data(anchor(int(t_ns[-1]), 2 * NS_PER_S if second >= 10 else 0), [(0, rows(t_ns, 100.0))])
    writer.done(anchor(START_NS + 20 * NS_PER_S, 2 * NS_PER_S))
    lines = [
        {"start": UTC_NS + START_NS + at * NS_PER_S, "end": UTC_NS + START_NS + (at + 1) * NS_PER_S}
        for at in (2, 10, 18)
    ]
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, lines)))
    joined = eco.join(tmp_path / "r.jsonl", tmp_path / "t")
    assert flags(joined) == ["ok", "clock was set", "ok"]
    assert any("UTC was set 1 times, by +2.000 s" in note for note in joined.notes)
    assert joined.rows["t0_ns"].tolist() == [START_NS + 2 * NS_PER_S, joined.rows["t0_ns"][1], START_NS + 16 * NS_PER_S]


def test_a_slowly_drifting_utc_is_followed_by_the_anchors(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "t", head("package-0"))
    for second in range(20):
        t_ns = START_NS + second * NS_PER_S + np.arange(100, dtype="u8") * 10_000_000
        writer.data(anchor(int(t_ns[-1]), second * 400_000), [(0, rows(t_ns, 100.0))])
    trace = eco.load_trace(tmp_path / "t")
    assert len(trace.utc_steps) == 0
    late_ns = START_NS + 18 * NS_PER_S
    assert abs(int(trace.monotonic_ns(np.array([UTC_NS + late_ns + 18 * 400_000]))[0]) - late_ns) < 500_000


def test_requests_in_utc_of_another_host_are_joined_with_a_word_of_warning(tmp_path: Path, trace: Path) -> None:
    start = UTC_NS + START_NS + 10 * NS_PER_S
    (tmp_path / "r.jsonl").write_text(json.dumps({"start": start, "end": start + NS_PER_S, "host_hash": "cd" * 16}))
    joined = eco.join(tmp_path / "r.jsonl", trace)
    assert "only as good as the clocks were set" in joined.notes[0]


@pytest.mark.parametrize("split", ["units", (1.0,), (-1.0, 1.0), (0.0, 0.0), (float("inf"), 1.0)])
def test_a_split_there_is_not_is_refused(tmp_path: Path, trace: Path, split: Any) -> None:
    with pytest.raises(ValueError, match="split is"):
        eco.join(vllm(tmp_path / "r", [10.0], 0.5, [0.5]), trace, split=split)
    with pytest.raises(LogError, match="needs input_lens"):
        eco.join(vllm(tmp_path / "r", [10.0], 0.5, [0.5], input_lens=None), trace, split="tokens")


def test_without_time_between_requests_there_is_no_idle_power(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no request ran for 0\.200 s"):
        eco.join(vllm(tmp_path / "r", [0.1], 0.4, [0.4]), write(tmp_path / "t", seconds=1), idle="rest")
